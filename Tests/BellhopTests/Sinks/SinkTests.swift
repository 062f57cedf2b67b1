import BellhopCore
import BellhopSimulator
import BellhopTesting
import Foundation
import Testing

@testable import Bellhop

@Suite(.timeLimit(.minutes(1))) struct SinkTests {
    private let folder: TemporaryFolder

    init() throws { self.folder = try TemporaryFolder() }

    private func deliveries(_ ids: ClosedRange<Int>, json: ((Int) -> String)? = nil) -> [Delivery] {
        ids.map { id in
            let event = Event.stub(id: "e\(id)", json: json?(id) ?? "{\"n\":\(id)}")
            return Delivery(id: Int64(id), event: event, rule: Rule(name: "r", sinks: ["s"]), sink: "s", attempt: 1)
        }
    }

    private func file(_ options: String) -> FileSink {
        FileSink(name: "s", options: .stub(options), context: .stub(folder: self.folder.path))
    }

    private func post<SinkType: Sink>(
        _ type: SinkType.Type,
        _ answer: SimulatedAnswer,
        timeout: String = "5s"
    ) async throws -> Verdict {
        let server = try await SimulatedServer { _ in answer }
        let options = OptionReader.stub("{\"url\":\"\(server.url)/secret\",\"timeout\":\"\(timeout)\"}")
        let verdict = await type.init(name: "s", options: options, context: .stub()).deliver(self.deliveries(1...1))[0]
        await server.close()
        return verdict
    }

    // MARK: - file

    @Test func `a file gets whole lines, one for each event`() async {
        let sink = self.file(#"{"path":"a.ndjson"}"#)
        let verdicts = await sink.deliver(self.deliveries(1...3) { "{\n  \"n\": \($0)\r\n}" })
        #expect(verdicts == Array(repeating: .success("written"), count: 3))
        #expect(self.folder.lines("a.ndjson") == (1...3).map { "{   \"n\": \($0)  }" })
    }

    @Test func `a file is opened again when logrotate has moved it, and on request`() async throws {
        let sink = self.file(#"{"path":"a.ndjson","fsync":"never"}"#)
        _ = await sink.deliver(self.deliveries(1...1))
        rename("\(self.folder.path)/a.ndjson", "\(self.folder.path)/a.ndjson.1")
        _ = await sink.deliver(self.deliveries(2...2))
        await sink.reopen()
        _ = await sink.deliver(self.deliveries(3...3))
        #expect(self.folder.lines("a.ndjson.1") == ["{\"n\":1}"])
        #expect(self.folder.lines("a.ndjson") == ["{\"n\":2}", "{\"n\":3}"])
    }

    @Test func `a file rotates by size and keeps so many`() async {
        let sink = self.file(#"{"path":"a.ndjson","rotate":{"size":"1KB","keep":2}}"#)
        for id in 1...5 {
            _ = await sink.deliver(
                self.deliveries(id...id) { "{\"n\":\($0),\"pad\":\"\(String(repeating: "x", count: 600))\"}" }
            )
        }
        for (name, id) in [("a.ndjson", 5), ("a.ndjson.1", 4), ("a.ndjson.2", 3)] {
            #expect(self.folder.lines(name).count == 1 && self.folder.read(name).contains("\"n\":\(id),"))
        }
        #expect(!FileManager.default.fileExists(atPath: "\(self.folder.path)/a.ndjson.3"))
    }

    @Test func `half a line that a crash left is removed, and a whole one that lacks its end gets it`() async throws {
        try self.folder.write("a.ndjson", "{\"n\":0}\n{\"n\":1,\"pa")
        _ = await self.file(#"{"path":"a.ndjson"}"#).deliver(self.deliveries(1...1))
        #expect(self.folder.lines("a.ndjson") == ["{\"n\":0}", "{\"n\":1}"])
        try self.folder.write("b.ndjson", "somebody's note")
        _ = await self.file(#"{"path":"b.ndjson"}"#).deliver(self.deliveries(1...1))
        #expect(self.folder.lines("b.ndjson") == ["somebody's note", "{\"n\":1}"])
    }

    @Test func `a disk that is full, a folder that is missing and a FIFO without reader are passing`() async {
        mkfifo("\(self.folder.path)/fifo", 0o600)
        for path in ["/dev/full", "missing/a.ndjson", "fifo", "."] {
            let verdicts = await self.file("{\"path\":\"\(path)\"}").deliver(self.deliveries(1...2))
            for verdict in verdicts {
                guard case .failure(.transient(let reason, _)) = verdict else {
                    Issue.record("\(path): \(verdict)")
                    return
                }
                #expect(reason.contains(path == "." ? self.folder.path : path))
            }
        }
    }

    @Test(.enabled(if: SmallDisk.isPossible, "tmpfs cannot be mounted here; it takes root and CAP_SYS_ADMIN"))
    func `a disk that fills up keeps whole lines, and takes the rest when there is room`() async throws {
        let disk = try #require(SmallDisk(in: self.folder))
        defer { disk.unmount() }
        let ballast = try self.folder.write("disk/ballast", String(repeating: "x", count: 900_000))
        let sink = self.file(#"{"path":"disk/a.ndjson"}"#)
        let pad = String(repeating: "y", count: 600)
        var id = 0
        var failed: Verdict?
        while failed == nil, id < 1000 {
            id += 1
            let verdict = await sink.deliver(self.deliveries(id...id) { "{\"n\":\($0),\"p\":\"\(pad)\"}" })[0]
            if case .failure = verdict { failed = verdict }
        }
        guard case .failure(.transient(let reason, _)) = failed else {
            Issue.record("\(String(describing: failed))")
            return
        }
        #expect(reason.contains("No space left"))
        #expect(
            self.folder.lines("disk/a.ndjson").count == id - 1 && self.folder.read("disk/a.ndjson").hasSuffix("}\n")
        )
        try FileManager.default.removeItem(atPath: ballast)
        let again = await sink.deliver(self.deliveries(id...id) { "{\"n\":\($0),\"p\":\"\(pad)\"}" })[0]
        #expect(again == .success("written"))
        #expect(self.folder.lines("disk/a.ndjson").count == id)
        await sink.close()
    }

    @Test func `a folder that is removed is passing, and nothing is written beside it`() async throws {
        try FileManager.default.createDirectory(atPath: "\(self.folder.path)/logs", withIntermediateDirectories: true)
        let sink = self.file(#"{"path":"logs/a.ndjson"}"#)
        #expect(await sink.deliver(self.deliveries(1...1)) == [.success("written")])
        try FileManager.default.removeItem(atPath: "\(self.folder.path)/logs")
        guard case .failure(.transient) = await sink.deliver(self.deliveries(2...2))[0] else {
            Issue.record("written into a file that nobody can open any more")
            return
        }
        try FileManager.default.createDirectory(atPath: "\(self.folder.path)/logs", withIntermediateDirectories: true)
        #expect(await sink.deliver(self.deliveries(2...2)) == [.success("written")])
        #expect(self.folder.lines("logs/a.ndjson") == ["{\"n\":2}"])
    }

    @Test func `a line that a full pipe cut is completed, not torn`() throws {
        let pipe = Pipe()
        let descriptor = pipe.fileHandleForWriting.fileDescriptor
        _ = fcntl(descriptor, F_SETFL, O_NONBLOCK)
        let long = "{\"n\":\"\(String(repeating: "x", count: 50_000))\"}"
        var writer = LineWriter()
        for _ in 0..<3 { writer.add(Bytes(long)) }
        let failure = #expect(throws: LineWriter.Failure.self) { try writer.write(to: descriptor, patience: .zero) }
        let cut = try #require(failure)
        #expect(cut.linesWritten < 3 && !cut.rest.isEmpty)
        let first = self.drain(pipe.fileHandleForReading.fileDescriptor)
        var again = LineWriter()
        again.add(rest: cut.rest)
        try again.write(to: descriptor, patience: .zero)
        let text = String(decoding: first + self.drain(pipe.fileHandleForReading.fileDescriptor), as: UTF8.self)
        #expect(text == String(repeating: long + "\n", count: cut.linesWritten + 1))
        // Or its descriptors would be closed, and belong to somebody else.
        withExtendedLifetime(pipe) {}
    }

    /// Everything that is in a pipe by now.
    private func drain(_ descriptor: Int32) -> [UInt8] {
        _ = fcntl(descriptor, F_SETFL, O_NONBLOCK)
        var found: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = read(descriptor, &buffer, buffer.count)
            guard count > 0 else { return found }
            found += buffer[..<count]
        }
    }

    // MARK: - HTTP

    @Test(arguments: [200, 201, 202, 204]) func `2xx is delivered`(status: Int) async throws {
        #expect(try await self.post(WebhookSink.self, SimulatedAnswer(status: status)) == .success("HTTP \(status)"))
    }

    @Test(arguments: [408, 425, 500, 502, 503, 504, 520, 529, 507, 599]) func `these are tried again`(
        status: Int
    ) async throws {
        let answer = SimulatedAnswer(status: status, headers: [("retry-after", "7")])
        let verdict = try await self.post(WebhookSink.self, answer)
        guard case .failure(.transient(let reason, after: .seconds(7))) = verdict else {
            Issue.record("\(verdict)")
            return
        }
        #expect(reason.contains("\(status)"))
    }

    @Test(
        arguments: [
            (["retry-after": "7"], "", .seconds(7)),
            (["retry-after": "Sun, 06 Nov 1994 08:49:37 GMT"], "", .zero),
            (
                ["retry-after": "1"], #"{"message":"You are being rate limited.","retry_after":64.57,"global":false}"#,
                .milliseconds(64_570)
            ),
            ([:], #"{"ok":false,"error_code":429,"parameters":{"retry_after":5}}"#, .seconds(5)),
            (["retry-after": "soon"], "not JSON", nil), ([:], "[1]", nil), ([:], #"{"retry_after":"x"}"#, nil),
            ([:], #"{"retry_after":-3}"#, .zero),
        ] as [([String: String], String, Duration?)]
    ) func `429 asks for a pause, in whichever form`(
        headers: [String: String],
        body: String,
        after: Duration?
    )
        async throws
    {
        let answer = SimulatedAnswer(status: 429, headers: headers.map { ($0, $1) }, body: body)
        let verdict = try await self.post(WebhookSink.self, answer)
        guard case .failure(.throttled(_, after)) = verdict else {
            Issue.record("\(verdict)")
            return
        }
    }

    @Test(arguments: [300, 301, 302, 304, 400, 401, 403, 404, 405, 413, 422, 451, 501, 505, 510]) func `these are not`(
        status: Int
    ) async throws {
        let verdict = try await self.post(
            WebhookSink.self,
            SimulatedAnswer(status: status, headers: [("location", "http://127.0.0.1:1")])
        )
        guard case .failure(.permanent) = verdict else {
            Issue.record("\(verdict)")
            return
        }
    }

    @Test func `410 is the end of a destination`() async throws {
        guard case .failure(.gone) = try await self.post(WebhookSink.self, SimulatedAnswer(status: 410)) else {
            Issue.record("not gone")
            return
        }
    }

    @Test(arguments: [SimulatedAnswer.Fault.reset, .cutShort, .silence])
    func `an answer that does not come whole leaves it open whether it was taken`(
        fault: SimulatedAnswer.Fault
    )
        async throws
    {
        let answer = SimulatedAnswer(body: "0123456789", fault: fault)
        let verdict = try await self.post(WebhookSink.self, answer, timeout: "300ms")
        guard case .failure(.unanswered) = verdict else {
            Issue.record("\(verdict)")
            return
        }
    }

    @Test(arguments: ["http://127.0.0.1:1/x", "http://nowhere.invalid/x", "https://127.0.0.1:1/"])
    func `who cannot be reached has got nothing`(url: String) async throws {
        let sink = WebhookSink(name: "s", options: .stub("{\"url\":\"\(url)\"}"), context: .stub())
        guard case .failure(.unreachable) = await sink.deliver(self.deliveries(1...1))[0] else {
            Issue.record("reached")
            return
        }
    }

    @Test func `a body beyond the limit is not sent`() async throws {
        let options = #"{"url":"http://127.0.0.1:1/","body_limit":"100B"}"#
        let sink = WebhookSink(name: "s", options: .stub(options), context: .stub())
        let long = self.deliveries(1...1) { "{\"n\":\($0),\"x\":\"\(String(repeating: "y", count: 100))\"}" }
        guard case .failure(.unsendable(let reason)) = await sink.deliver(long)[0] else {
            Issue.record("sent")
            return
        }
        #expect(reason.contains("body_limit"))
    }

    @Test func `Slack must say ok`() async throws {
        #expect(try await self.post(SlackSink.self, SimulatedAnswer(body: "ok")) == .success("HTTP 200 ok"))
        let verdict = try await self.post(SlackSink.self, SimulatedAnswer(body: "no_service"))
        guard case .failure(.permanent(let reason)) = verdict else {
            Issue.record("\(verdict)")
            return
        }
        #expect(reason.contains("no_service"))
    }

    @Test func `an answer that repeats the URL does not tell it`() async throws {
        let verdict = try await self.post(
            WebhookSink.self,
            SimulatedAnswer(status: 404, body: "<p>/secret not found\u{1B}[31m</p>\nmore")
        )
        guard case .failure(.permanent(let reason)) = verdict else {
            Issue.record("\(verdict)")
            return
        }
        #expect(!reason.contains("/secret") && reason.hasSuffix("<p><secret> not found[31m</p> more"))
    }

    @Test func `a long answer is judged by its status`() async throws {
        let page = String(repeating: "x", count: 300_000)
        #expect(try await self.post(WebhookSink.self, SimulatedAnswer(body: page)) == .success("HTTP 200"))
        let verdict = try await self.post(WebhookSink.self, SimulatedAnswer(status: 503, body: page))
        guard case .failure(.transient) = verdict else {
            Issue.record("\(verdict)")
            return
        }
    }

    @Test func `an answer that repeats a key out of a header does not tell it, wherever it is cut`() async throws {
        let server = try await SimulatedServer { _ in
            SimulatedAnswer(status: 401, body: String(repeating: ".", count: 190) + "invalid token sekret-token-42")
        }
        let options = OptionReader.stub(
            "{\"url\":\"\(server.url)/a/hook-key-7?sig=abcd1234\",\"headers\":{\"Authorization\":\"Bearer sekret-token-42\"}}"
        )
        let verdict = await WebhookSink(name: "s", options: options, context: .stub()).deliver(self.deliveries(1...1))[
            0
        ]
        #expect(!"\(verdict)".contains("sekret") && !"\(verdict)".contains("hook-key"))
        await server.close()
    }

    @Test func `a delivery has one identity over its attempts, and every delivery its own`() async throws {
        let receiver = ReceiverSimulator()
        let server = try await SimulatedServer { receiver.answer($0) }
        let options = "{\"url\":\"\(server.url)/x\",\"headers\":{\"Authorization\":\"Bearer t\"}}"
        let sink = WebhookSink(name: "s", options: .stub(options), context: .stub())
        _ = await sink.deliver(self.deliveries(1...2))
        _ = await WebhookSink(name: "s", options: .stub(options), context: .stub()).deliver(self.deliveries(1...1))
        #expect(receiver.ids.values.sorted() == [1, 2])
        #expect(receiver.receipts.map(\.body) == ["{\"n\":1}", "{\"n\":2}", "{\"n\":1}"])
        await server.close()
    }

    @Test(arguments: ["retry", "hold"])
    func `what a shutdown cuts off may have arrived, which matters where it is held`(
        policy: String
    ) async throws {
        let receiver = ReceiverSimulator()
        receiver.change { $0.fault = .silence }
        let server = try await SimulatedServer { receiver.answer($0) }
        let options = "{\"url\":\"\(server.url)\",\"on_unknown\":\"\(policy)\"}"
        let sink = WebhookSink(name: "s", options: .stub(options), context: .stub())
        let delivery = self.deliveries(1...1)
        let attempt = Task { await sink.deliver(delivery)[0] }
        await receiver.waitForRequests(1)
        attempt.cancel()
        switch await attempt.value {
        case .failure(.cancelled): #expect(policy == "retry")
        case .failure(.unanswered): #expect(policy == "hold")
        case let verdict: Issue.record("\(verdict)")
        }
        await server.close()
    }

    @Test func `what is signed is what is sent`() async throws {
        let (requests, request) = AsyncStream<SimulatedRequest>.makeStream()
        let server = try await SimulatedServer { received in
            request.yield(received)
            return SimulatedAnswer()
        }
        let secrets = [
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsk_" + Data(repeating: 7, count: 32).base64EncodedString(),
        ]
        let options = "{\"url\":\"\(server.url)\",\"signing_secret\":[\"\(secrets[0])\",\"\(secrets[1])\"]}"
        let sink = WebhookSink(name: "s", options: .stub(options), context: .stub())
        _ = await sink.deliver(self.deliveries(1...1) { "{\"n\":\($0),\"é\":\"😀\"}" })
        request.finish()
        let signer = try WebhookSigner(.standardWebhooks, secrets: secrets.map { Secret($0) })
        for await received in requests {
            let expected = signer.headers(
                id: try #require(received.header("webhook-id")),
                timestamp: try #require(Int64(received.header("webhook-timestamp") ?? "")),
                body: Bytes(String(decoding: received.body, as: UTF8.self))
            )
            #expect(received.header("webhook-signature") == expected[0].value.reveal())
            #expect(received.header("webhook-signature")?.split(separator: " ").count == 2)
        }
        await server.close()
    }

    // MARK: - every kind

    @Test(arguments: Sinks.all.map { $0.kind }) func `the reference names every option and is without fault`(
        kind: String
    ) throws {
        let type = try #require(Sinks.all.first { $0.kind == kind })
        try ReferenceCheck.run(type) { reader in _ = type.init(name: "s", options: reader, context: .stub()) }
    }
}

/// Reads a component's reference as its options.
enum ReferenceCheck {
    static func run(_ type: any Component.Type, _ make: (OptionReader) -> Void) throws {
        let diagnostics = Diagnostics()
        let environment = [
            "SLACK_WEBHOOK_URL": "https://hooks.slack.com/services/x", "RELAY_SUBSCRIBER_ID": "1", "RELAY_API_KEY": "k",
        ]
        let setting = try #require(ConfigurationReader(environment: environment).setting(type.reference))
        let options = OptionReader(setting, owner: type.kind, diagnostics: diagnostics)
        _ = options.optional("kind")
        make(options)
        options.finish()
        #expect(diagnostics.all.map(\.message) == [])
        let written = Set((setting.members ?? []).map(\.key))
        #expect(Set(options.knownKeys).subtracting(written) == [])
        #expect(options.string("kind") == type.kind)
    }
}

/// A file system of a megabyte.
private struct SmallDisk {
    private let path: String

    static let isPossible: Bool = {
        guard let folder = try? TemporaryFolder(), let disk = SmallDisk(in: folder) else { return false }
        disk.unmount()
        return true
    }()

    init?(in folder: TemporaryFolder) {
        self.path = "\(folder.path)/disk"
        mkdir(self.path, 0o700)
        guard mount("tmpfs", self.path, "tmpfs", 0, "size=1m") == 0 else { return nil }
    }

    func unmount() { umount2(self.path, Int32(MNT_DETACH)) }
}
