import ArgumentParser
import Bellhop
import Foundation

struct InitCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "init",
        abstract: "Write a configuration to start from: bellhop.yaml and rules/alerts.yaml.",
        discussion: "Never writes over a file."
    )

    @Argument(help: "The folder.")
    var folder = "."

    func run() async throws {
        let files = [("bellhop.yaml", Scaffold.configuration), ("rules/alerts.yaml", Scaffold.rules)]
        for (name, _) in files where FileManager.default.fileExists(atPath: "\(self.folder)/\(name)") {
            printError("\(self.folder)/\(name) is there already; move it away, or name another folder")
            throw ExitCode.no
        }
        for (name, text) in files {
            let path = "\(self.folder)/\(name)"
            do {
                let parent = (path as NSString).deletingLastPathComponent
                try FileManager.default.createDirectory(atPath: parent, withIntermediateDirectories: true)
                try Data(text.utf8).write(to: URL(fileURLWithPath: path))
            } catch {
                printError("cannot write \(path): \(error.localizedDescription)")
                throw ExitCode.no
            }
            print("wrote \(path)")
        }
        print(
            """

            Next: set RELAY_SUBSCRIBER_ID, RELAY_API_KEY and SLACK_WEBHOOK_URL, then
              bellhop check     what would run
              bellhop run       run it
            Without an account: 'bellhop simulate relay-pro' and 'bellhop simulate receiver'.
            """
        )
    }
}
