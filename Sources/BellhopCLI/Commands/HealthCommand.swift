import ArgumentParser
import Bellhop
import BellhopCore
import Logging

struct HealthCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "health",
        abstract: "Ask a running bellhop whether it takes events, and what hinders it.",
        discussion:
            "Asks where the configuration's 'admin' listens. Exit code 0: it does; 1: it does not; 75: nobody answers."
    )

    @OptionGroup var config: ConfigurationOption
    @Flag(help: "Only whether it runs, not whether it takes events.")
    var live = false

    func run() async throws {
        let loaded = try self.config.load(Logger(label: "bellhop") { _ in SwiftLogNoOpLogHandler() })
        guard let admin = loaded.admin else {
            printError("\(self.config.file) has no 'admin'; with 'admin: {}' bellhop listens on 127.0.0.1:8080")
            throw ExitCode.no
        }
        let path = self.live ? "/live" : "/ready"
        let request = HTTPRequest(
            method: .get,
            url: Secret(admin.url + path),
            headers: admin.token.map { [HTTPHeader("Authorization", "Bearer \($0.reveal())")] } ?? [],
            timeout: .seconds(5)
        )
        let client = HTTPClient(userAgent: Version.userAgent)
        defer { client.close() }
        do {
            let response = try await client.send(request)
            print(response.body.string.trimmingSpaces)
            if response.status != 200 { throw ExitCode.no }
        } catch let error as HTTPError {
            printError(
                "nobody answers at \(admin.url)\(path): \(error); does 'bellhop run' run with this configuration?"
            )
            throw ExitCode.tryAgain
        }
    }
}
