import BellhopCore
import BellhopTesting
import Foundation
import Synchronization
import Testing

@testable import Bellhop

@Suite(.timeLimit(.minutes(4))) struct HooksRunTests {
    private static let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    private let folder: TemporaryFolder

    init() throws { self.folder = try TemporaryFolder() }

    /// Starts bellhop with a `hooks` source, and waits until it listens.
    private func start() async throws -> (process: ChildProcess, url: String) {
        try self.folder.write(
            "bellhop.yaml",
            """
            sources:
              in: { kind: hooks, listen: "127.0.0.1:0", verify: { scheme: standard_webhooks, secret: "\(Self.secret)" } }
            sinks:
              audit: { kind: file, path: audit.ndjson }
            rules:
              - { name: all, send: [audit] }
            """
        )
        let process = try ChildProcess(["run"], in: self.folder)
        try await process.waitForErrors(containing: "/hooks source=in")
        let line = process.errors.split(separator: "\n").first { $0.contains("listening on ") }
        let url = line?.split(separator: " ").first { $0.hasPrefix("http://") }.map(String.init)
        return (process, try #require(url, "\(process.errors)"))
    }

    private func post(_ number: Int, to url: String, with client: HTTPClient) async throws -> Int {
        let signer = try WebhookSigner(.standardWebhooks, secrets: [Secret(Self.secret)])
        let body = Bytes("{\"n\":\(number)}")
        let now = SystemClock().now().seconds
        let request = HTTPRequest(
            method: .post,
            url: Secret(url),
            headers: [
                HTTPHeader("content-type", "application/json"), HTTPHeader("webhook-id", "m\(number)"),
                HTTPHeader("webhook-timestamp", "\(now)"),
            ] + signer.headers(id: "m\(number)", timestamp: now, body: body),
            body: body,
            timeout: .seconds(60)
        )
        return try await client.send(request).status
    }

    private final class Accepted: Sendable {
        private let state = Mutex<Set<Int>>([])

        var numbers: Set<Int> { self.state.withLock { $0 } }

        /// - Returns: how many there are now.
        func add(_ number: Int) -> Int {
            self.state.withLock { numbers in
                numbers.insert(number)
                return numbers.count
            }
        }
    }

    @Test func `what was answered with 2xx is delivered, also after kill -9`() async throws {
        let (process, url) = try await self.start()
        let client = HTTPClient(userAgent: "Bellhop-Tests")
        let accepted = Accepted()
        await withTaskGroup(of: Void.self) { group in
            for worker in 0..<16 {
                group.addTask {
                    for number in stride(from: worker, to: 100_000, by: 16) {
                        // Until it is gone.
                        guard (try? await self.post(number, to: url, with: client)) == 202 else { return }
                        if accepted.add(number) == 150 { process.signal(SIGKILL) }
                    }
                }
            }
        }
        client.close()
        #expect(await process.result().status == SIGKILL)
        let again = try await ChildProcess.run(["run", "--once"], in: self.folder)
        #expect(again.status == 0, "\(again.errors)")
        let delivered = Set(self.folder.lines("audit.ndjson").compactMap { Int($0.dropFirst(5).dropLast()) })
        let owed = accepted.numbers
        #expect(owed.count >= 150 && owed.isSubset(of: delivered), "\(owed.subtracting(delivered))")
        #expect(!again.errors.contains(Self.secret.dropFirst(6)))
    }

    @Test func `what comes again under its id is one event, and SIGTERM ends it well`() async throws {
        let (process, url) = try await self.start()
        let client = HTTPClient(userAgent: "Bellhop-Tests")
        #expect(try await self.post(1, to: url, with: client) == 202)
        #expect(try await self.post(1, to: url, with: client) == 202)
        process.signal(SIGTERM)
        let result = await process.result()
        #expect(result.status == 0 && result.errors.contains("1 new events, 1 known skipped"), "\(result.errors)")
        #expect(self.folder.lines("audit.ndjson") == ["{\"n\":1}"])
        client.close()
    }

    @Test func `an address that somebody has is told, and tried again`() async throws {
        let (first, url) = try await self.start()
        let port = url.split(separator: ":").last?.split(separator: "/").first ?? ""
        let other = try TemporaryFolder()
        let text = self.folder.read("bellhop.yaml").replacing("127.0.0.1:0", with: "127.0.0.1:\(port)")
        try other.write("bellhop.yaml", text)
        let second = try ChildProcess(["run"], in: other)
        try await second.waitForErrors(containing: "cannot listen on 127.0.0.1:\(port)")
        first.signal(SIGTERM)
        _ = await first.result()
        try await second.waitForErrors(containing: "listening on \(url)")
        #expect(second.errors.contains("listening on \(url)"), "\(second.errors)")
        second.signal(SIGTERM)
        #expect(await second.result().status == 0)
    }
}
