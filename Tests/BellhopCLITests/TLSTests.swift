import Bellhop
import BellhopCore
import BellhopTesting
import Foundation
import Testing

/// Whom a sink trusts, against a real TLS server (Python's).
@Suite(.timeLimit(.minutes(4))) struct TLSTests {
    private static let fixtures = #filePath.replacing("/BellhopCLITests/TLSTests.swift", with: "/Fixtures/tls")

    private let folder: TemporaryFolder

    init() throws { self.folder = try TemporaryFolder() }

    /// Posts one event to a server with that certificate.
    private func post(_ server: [String], _ tls: String) async throws -> Verdict {
        let process = try ChildProcess(
            program: "python3",
            ["\(Self.fixtures)/server.py", "\(Self.fixtures)/\(server[0])"] + server.dropFirst(),
            in: self.folder
        )
        defer { process.signal(SIGKILL) }
        try await process.waitForErrors(containing: ".\n")
        let port = process.errors.filter(\.isNumber)
        let diagnostics = Diagnostics()
        let options = OptionReader.stub("{\"url\":\"https://127.0.0.1:\(port)/\",\"tls\":{\(tls)}}", diagnostics)
        let sink = WebhookSink(name: "s", options: options, context: .stub(folder: Self.fixtures))
        #expect(diagnostics.all.map(\.message) == [])
        let delivery = Delivery(id: 1, event: .stub(), rule: Rule(name: "r", sinks: ["s"]), sink: "s", attempt: 1)
        return await sink.deliver([delivery])[0]
    }

    private func isUntrusted(_ verdict: Verdict) -> Bool {
        if case .failure(.unreachable(let reason)) = verdict { reason.contains("TLS with 127.0.0.1") } else { false }
    }

    @Test func `who is signed by nobody known is not trusted`() async throws {
        #expect(try await self.isUntrusted(self.post(["server"], "")))
    }

    @Test func `an authority of one's own is`() async throws {
        #expect(try await self.post(["server"], #""ca_file":"ca.pem""#) == .success("HTTP 200"))
    }

    @Test func `but not under another name`() async throws {
        #expect(try await self.isUntrusted(self.post(["other"], #""ca_file":"ca.pem""#)))
    }

    @Test func `a receiver that wants a certificate gets one`() async throws {
        let server = ["server", "--client-ca", "\(Self.fixtures)/ca.pem"]
        let with = #""ca_file":"ca.pem","client_cert":"client.pem","client_key":"client.key""#
        #expect(try await self.post(server, with) == .success("HTTP 200"))
        guard case .failure = try await self.post(server, #""ca_file":"ca.pem""#) else {
            Issue.record("without a certificate")
            return
        }
    }

    @Test func `an old version is refused where a newer one is asked for`() async throws {
        let server = ["server", "--tls12"]
        #expect(try await self.post(server, #""ca_file":"ca.pem""#) == .success("HTTP 200"))
        #expect(try await self.isUntrusted(self.post(server, #""ca_file":"ca.pem","min_version":"1.3""#)))
    }

    @Test func `files that are not there are told before anything runs`() {
        let diagnostics = Diagnostics()
        let options = OptionReader.stub(
            #"{"url":"https://x.org/","tls":{"ca_file":"no.pem","client_key":"client.key","min_version":"1.1"}}"#,
            diagnostics
        )
        _ = WebhookSink(name: "s", options: options, context: .stub(folder: Self.fixtures))
        let messages = diagnostics.all.map(\.message).joined(separator: "\n")
        #expect(messages.contains("'ca_file': cannot read the file \(Self.fixtures)/no.pem"))
        #expect(messages.contains("'client_key' needs its 'client_cert'"))
        #expect(messages.contains("'min_version' is one of 1.2, 1.3"))
    }
}
