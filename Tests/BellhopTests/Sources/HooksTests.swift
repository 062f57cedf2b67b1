import BellhopCore
import BellhopTesting
import Synchronization
import Testing

@testable import Bellhop

@Suite(.timeLimit(.minutes(4))) struct HooksTests {
    private static let now = Timestamp(seconds: 1_790_000_000)
    private let bench = SourceBench()

    /// Runs a source at `/hooks` while `body` posts to it.
    private func serve<Result: Sendable>(
        _ options: String = "",
        clock: any WallClock = StandingClock(now),
        commits: @escaping @Sendable (Batch) -> Bool = { _ in true },
        _ body: (DirectListener) async throws -> Result
    ) async throws -> Result {
        let diagnostics = Diagnostics()
        let (bench, listener) = (self.bench, DirectListener())
        let source = HooksSource(
            name: "in",
            options: .stub("{\"path\":\"/hooks\"\(options)}", diagnostics),
            context: .stub(clock: clock, listener: listener)
        )
        try #require(diagnostics.all.map(\.message) == [])
        let running = Task { try await bench.run(source, commits: commits) }
        while !listener.isServing("/hooks") { await Task.yield() }
        let result = try await body(listener)
        running.cancel()
        try await running.value
        return result
    }

    private func post(_ body: String, _ options: String = "") async throws -> (status: Int, body: String) {
        let answer = try await self.serve(options) { await $0.send(to: "/hooks", body) }
        return (answer?.status ?? 0, answer?.body ?? "")
    }

    private var ids: [String] { self.bench.events.map(\.id) }

    // MARK: What is taken

    @Test func `an event is taken with id, time and task, and answered once it is on disk`() async throws {
        let answer = try await self.post(
            #"{"event_id":"e1","timestamp":"2026-11-21T03:00:00Z","task":{"id":"t1"},"n":1}"#
        )
        #expect(answer == (202, "{\"accepted\":1}"))
        let event = try #require(self.bench.events.first)
        #expect(event.id == "e1" && event.task == "t1" && event.time == Timestamp("2026-11-21T03:00:00Z"))
        #expect(event.data.string.hasSuffix("\"n\":1}") && event.source == "in" && event.kind == nil)
    }

    @Test func `a list is a batch, and a bad element costs only itself`() async throws {
        let answer = try await self.post(#"[{"event_id":"a"}, 3, {"event_id":"b"}, {"event_id":]"#)
        #expect(answer == (400, answer.body) && self.ids == [])
        let second = try await self.post(#"[{"event_id":"a"}, 3, {"event_id":"b"}]"#)
        #expect(second == (202, #"{"accepted":2,"rejected":1}"#))
        #expect(self.ids == ["a", "b"] && self.bench.rejected.map(\.data.string).last == "3")
        let empty = try await self.post("[]")
        #expect(empty == (202, #"{"accepted":0}"#))
    }

    @Test func `what is no event is answered with 400 and kept for a person`() async throws {
        for body in ["{", "7", "\"x\"", "{\"a\":}"] {
            let answer = try await self.post(body)
            #expect(answer.status == 400 && answer.body.contains("\"detail\""), "\(body): \(answer.body)")
        }
        #expect(self.bench.rejected.map(\.data.string) == ["{", "7", "\"x\"", "{\"a\":}"])
        #expect(try await self.post("").status == 400)
    }

    @Test func `a configured id comes first, then the sender's header, then the event's own`() async throws {
        func send(_ options: String, _ headers: [(name: String, value: String)]) async throws -> String? {
            let json: [(name: String, value: String)] = [("content-type", "application/json")]
            _ = try await self.serve(options) {
                await $0.send(to: "/hooks", #"{"event_id":"own","key":"named"}"#, headers: json + headers)
            }
            return self.bench.events.last?.id
        }
        #expect(try await send("", []) == "own")
        #expect(try await send("", [("webhook-id", "msg_1")]) == "msg_1")
        #expect(try await send(#","id":"key""#, [("webhook-id", "msg_2")]) == "named")
    }

    @Test func `what is sent again under its id is one event; without any id, each is another`() async throws {
        try await self.serve { listener in
            for _ in 0..<2 {
                let headers = [(name: "content-type", value: "application/json"), ("webhook-id", "m1")]
                let answer = await listener.send(to: "/hooks", #"[{"x":1},{"x":1}]"#, headers: headers)
                #expect(answer?.status == 202)
            }
            for _ in 0..<2 { _ = await listener.send(to: "/hooks", #"{"x":1}"#) }
        }
        // A message of its own is none of a list's.
        _ = try await self.serve {
            await $0.send(to: "/hooks", "{}", headers: [("content-type", "application/json"), ("webhook-id", "m1/0")])
        }
        #expect(self.ids.last == "m1%2F0")
        #expect(self.ids.prefix(2) == ["m1/0", "m1/1"] && self.bench.repeats == 2 && self.ids.count == 5)
        #expect(self.ids[2].hasPrefix("hook-") && Set(self.ids).count == 5)
    }

    @Test func `an id too long to be written is known by its hash`() async throws {
        let long = String(repeating: "x", count: 201)
        try await self.serve { listener in
            for _ in 0..<2 {
                let headers = [(name: "content-type", value: "application/json"), ("webhook-id", long)]
                _ = await listener.send(to: "/hooks", "{}", headers: headers)
                _ = await listener.send(to: "/hooks", "{\"event_id\":\"\(long)y\"}")
            }
        }
        #expect(self.ids.count == 2 && self.bench.repeats == 2 && self.ids.allSatisfy { $0.hasPrefix("sha256-") })
    }

    @Test func `of what is no event, the start is kept, and reasons are short`() async throws {
        let body = "{\"specversion\":\"\(String(repeating: "9", count: 100_000))\"}"
        let headers = [(name: "content-type", value: "application/cloudevents+json")]
        let answer = try await self.serve { await $0.send(to: "/hooks", body, headers: headers) }
        let rejected = try #require(self.bench.rejected.first)
        #expect(answer?.status == 400 && (answer?.body.utf8.count ?? 0) < 1000)
        #expect(rejected.data.count == 65_536 && rejected.reason.utf8.count < 600)
    }

    // MARK: CloudEvents

    private static let structured =
        #"{"specversion":"1.0","id":"A1","source":"/s/1","type":"com.example.fire","time":"2026-11-21T03:00:00Z","subject":"room 7","data":{"x":1}}"#

    @Test func `the three forms of a CloudEvent come to the same`() async throws {
        try await self.serve { listener in
            let single = [(name: "content-type", value: "Application/CloudEvents+json; charset=UTF-8")]
            #expect(await listener.send(to: "/hooks", Self.structured, headers: single)?.status == 202)
            let batch = [(name: "content-type", value: "application/cloudevents-batch+json"), ("webhook-id", "m1")]
            let second = Self.structured.replacing("A1", with: "A2")
            #expect(await listener.send(to: "/hooks", "[\(second)]", headers: batch)?.status == 202)
            #expect(await listener.send(to: "/hooks", "[]", headers: batch)?.status == 202)
            #expect(await listener.send(to: "/hooks", second, headers: batch)?.status == 400)
            let binary = [
                (name: "content-type", value: "application/json"), ("ce-specversion", "1.0"), ("ce-id", "A3"),
                ("ce-source", "/s/1"), ("ce-type", "com.example.fire"), ("ce-time", "2026-11-21T03:00:00Z"),
                ("ce-subject", "room%207"), ("ce-data", "no"), ("ce-datacontenttype", "no"),
            ]
            #expect(await listener.send(to: "/hooks", "{\"x\":1}", headers: binary)?.status == 202)
        }
        #expect(self.ids == ["/s/1 A1", "/s/1 A2", "/s/1 A3"])
        for event in self.bench.events {
            #expect(event.kind == "com.example.fire" && event.task == "room 7")
            #expect(event.time == Timestamp("2026-11-21T03:00:00Z"))
            let fields = try JSONParser().parse(event.data) { json in
                [json["subject"], json["data"]?["x"], json["type"]].map { $0?.leaf.text }
            }
            #expect(fields == ["room 7", "1", "com.example.fire"])
        }
        #expect(self.bench.events[2].data.string.contains(#""datacontenttype":"application/json","data":{"x":1}}"#))
    }

    @Test(arguments: [
        ("text/plain", "h\u{e4}llo \"x\"", #""data":"hällo \"x\""}"#),
        ("application/json", "", "\"application/json\"}"),
        ("image/png", "\u{0}", "\"data\":\"\\u0000\"}"),
    ]) func `data of a binary CloudEvent need not be JSON`(type: String, body: String, expected: String) async throws {
        try await self.serve { listener in
            let headers = [
                (name: "content-type", value: type), ("ce-specversion", "1.0"), ("ce-id", "A3"), ("ce-source", "/s/1"),
                ("ce-type", "%E2%82%AC \"q\""),
            ]
            #expect(await listener.send(to: "/hooks", body, headers: headers)?.status == 202)
        }
        let text = self.bench.events.first?.data.string ?? ""
        #expect(text.hasSuffix(expected), "\(text)")
        #expect(self.bench.events.first?.kind == "€ \"q\"")
    }

    @Test(arguments: [#"1,"id":"forged","type":"t.forged""#, #"1,"x":2"#, "{", "1}"])
    func `the body of a binary CloudEvent brings no attributes along`(body: String) async throws {
        let headers = [
            (name: "content-type", value: "application/json"), ("ce-specversion", "1.0"), ("ce-id", "A3"),
            ("ce-source", "/s/1"), ("ce-type", "t"),
        ]
        let answer = try await self.serve { await $0.send(to: "/hooks", body, headers: headers) }
        #expect(answer?.status == 400 && self.ids == [])
    }

    @Test func `bytes that are no text become data_base64`() {
        let request = InboundRequest(method: "POST", headers: [("ce-id", "1")]) {
            () async throws(InboundAnswer) -> Bytes in Bytes()
        }
        let bytes: [UInt8] = [0xFF, 0x00, 0x7F]
        let data = bytes.withUnsafeBytes { Bytes(copying: $0) }
        let text = try? InboundCloudEvent.structured(request, MediaType("image/png"), data: data).string
        #expect(text == #"{"id":"1","data_base64":"/wB/"}"#)
    }

    @Test func `a CloudEvent without what it must have is refused`() async throws {
        let headers = [(name: "content-type", value: "application/cloudevents+json")]
        for (name, wrong) in [
            ("\"id\":\"A1\"", "\"id\":\"\""), ("\"source\":\"/s/1\"", "\"source\":\"a b\""),
            ("\"specversion\":\"1.0\"", "\"specversion\":\"0.3\""), ("\"type\":", "\"typ\":"),
        ] {
            let answer = try await self.serve {
                await $0.send(to: "/hooks", Self.structured.replacing(name, with: wrong), headers: headers)
            }
            #expect(answer?.status == 400, "\(wrong)")
        }
        let binary = [
            (name: "content-type", value: "application/json"), ("ce-specversion", "1.0"), ("ce-id", "%C0%A0"),
            ("ce-source", "/s/1"), ("ce-type", "t"),
        ]
        let answer = try await self.serve { await $0.send(to: "/hooks", "{}", headers: binary) }
        #expect(answer?.status == 400 && answer?.body.contains("ce-id") == true)
        #expect(self.ids == [] && self.bench.rejected.count == 5)
    }

    @Test func `a sender that asks first is told that it may send, and how often`() async throws {
        func ask(_ options: String, _ origin: String?) async throws -> [String: String] {
            let headers = origin.map { [(name: "webhook-request-origin", value: $0)] } ?? []
            let answer = try await self.serve(options) {
                await $0.send("OPTIONS", to: "/hooks", "", headers: headers)
            }
            #expect(answer?.status == 200)
            return Dictionary(uniqueKeysWithValues: (answer?.headers ?? []).map { ($0.name, $0.value) })
        }
        let any = try await ask("", "a.example.com")
        #expect(any["webhook-allowed-origin"] == "a.example.com" && any["webhook-allowed-rate"] == "*")
        #expect(try await ask("", nil)["webhook-allowed-origin"] == nil)
        let some = #","allowed_origins":["b.example.com"],"rate_limit":"2/s""#
        #expect(try await ask(some, "a.example.com")["webhook-allowed-origin"] == nil)
        #expect(try await ask(some, "B.example.com")["webhook-allowed-rate"] == "120")
    }

    // MARK: What is refused

    @Test(arguments: [
        "", "text/plain", "application/x-www-form-urlencoded", "application/json; charset=latin1",
        "application/cloudevents+avro", "application/xml",
    ]) func `other kinds of bodies are refused with 415`(type: String) async throws {
        let answer = try await self.serve { await $0.send(to: "/hooks", "{}", headers: [("content-type", type)]) }
        #expect(answer?.status == 415 && answer?.body.contains("application/json") == true && self.ids == [])
    }

    @Test func `compressed bodies are refused, other methods too`() async throws {
        let headers = [(name: "content-type", value: "application/json"), ("content-encoding", "gzip")]
        let packed = try await self.serve { await $0.send(to: "/hooks", "{}", headers: headers) }
        #expect(packed?.status == 415 && packed?.headers.first?.name == "accept-encoding")
        for method in ["GET", "PUT", "DELETE", "HEAD"] {
            let answer = try await self.serve { await $0.send(method, to: "/hooks", "{}") }
            #expect(answer?.status == 405 && answer?.headers.first?.value == "POST, OPTIONS")
        }
    }

    @Test func `who may not send is refused before the body is read, and nothing is kept`() async throws {
        let isRead = Mutex(false)
        let options = #","verify":{"scheme":"bearer","token":["t0ken-one","t0ken-two"]}"#
        try await self.serve(options) { listener in
            let wrong = [(name: "content-type", value: "application/json"), ("authorization", "Bearer x")]
            let answer = await listener.send(to: "/hooks", #"{"event_id":"e"}"#, headers: wrong) {
                isRead.withLock { $0 = true }
            }
            #expect(answer?.status == 401 && answer?.headers.first?.name == "www-authenticate")
            let right = [(name: "content-type", value: "application/json"), ("authorization", "Bearer t0ken-two")]
            #expect(await listener.send(to: "/hooks", #"{"event_id":"e"}"#, headers: right)?.status == 202)
        }
        #expect(!isRead.withLock { $0 } && self.ids == ["e"] && self.bench.rejected.isEmpty)
    }

    @Test func `beyond the rate a sender is told when to come again`() async throws {
        let clock = ManualClock()
        try await self.serve(#","rate_limit":"2/10s""#, clock: clock) { listener in
            var answers: [InboundAnswer?] = []
            for _ in 0..<3 { answers.append(await listener.send(to: "/hooks", "{}")) }
            #expect(answers.map { $0?.status } == [202, 202, 429])
            #expect(answers[2]?.headers.first?.name == "retry-after" && answers[2]?.headers.first?.value == "5")
            clock.advance(by: .seconds(5))
            #expect(await listener.send(to: "/hooks", "{}")?.status == 202)
        }
        #expect(self.ids.count == 3)
    }

    @Test func `what the spool does not take is answered with 503, for all who waited`() async throws {
        let isFull = Mutex(true)
        try await self.serve(commits: { _ in !isFull.withLock { $0 } }) { listener in
            let statuses = await withTaskGroup(of: Int?.self) { group in
                for number in 0..<20 {
                    group.addTask { await listener.send(to: "/hooks", "{\"event_id\":\"e\(number)\"}")?.status }
                }
                return await group.reduce(into: []) { $0.append($1) }
            }
            #expect(statuses.count == 20 && statuses.allSatisfy { $0 == 503 })
            isFull.withLock { $0 = false }
            #expect(await listener.send(to: "/hooks", "{\"event_id\":\"e1\"}")?.status == 202)
        }
        #expect(self.ids == ["e1"])
    }

    @Test func `many requests at once share few commits, each in one of them`() async throws {
        let batches = Mutex(0)
        try await self.serve(commits: { _ in
            batches.withLock { $0 += 1 }
            return true
        }) { listener in
            await withTaskGroup(of: Void.self) { group in
                for number in 0..<500 {
                    group.addTask {
                        let answer = await listener.send(to: "/hooks", "{\"event_id\":\"e\(number)\"}")
                        #expect(answer?.status == 202)
                    }
                }
            }
        }
        #expect(Set(self.ids).count == 500 && self.bench.repeats == 0 && batches.withLock { $0 } < 250)
    }

    // MARK: Of senders

    @Test func `Slack's question whether the URL is ours is answered`() async throws {
        let secret = "8f742231b10e8888abcd99yyyzzz85a5"
        let body = #"{"type":"url_verification","challenge":"3eZbrw1aB\"x"}"#
        let signer = try WebhookSigner(.github, secrets: [Secret(secret)])
        let signed = signer.headers(id: "", timestamp: 0, body: Bytes("v0:\(Self.now.seconds):\(body)"))[0].value
            .reveal()
        let headers = [
            (name: "content-type", value: "application/json"), ("x-slack-request-timestamp", "\(Self.now.seconds)"),
            ("x-slack-signature", "v0=\(signed.dropFirst(7))"),
        ]
        let answer = try await self.serve(#","verify":{"scheme":"slack","secret":"\#(secret)"}"#) {
            await $0.send(to: "/hooks", body, headers: headers)
        }
        #expect(answer?.status == 200 && answer?.body == #"{"challenge":"3eZbrw1aB\"x"}"# && self.ids == [])
    }

    @Test func `headers that Slack does not sign make no other event of it`() async throws {
        let secret = "8f742231b10e8888abcd99yyyzzz85a5"
        let body = #"{"type":"event_callback","event_id":"Ev1","event_time":1790000000}"#
        let signer = try WebhookSigner(.github, secrets: [Secret(secret)])
        let signed = signer.headers(id: "", timestamp: 0, body: Bytes("v0:\(Self.now.seconds):\(body)"))[0].value
            .reveal()
        let own = [
            (name: "content-type", value: "application/json"), ("x-slack-request-timestamp", "\(Self.now.seconds)"),
            ("x-slack-signature", "v0=\(signed.dropFirst(7))"),
        ]
        try await self.serve(#","verify":{"scheme":"slack","secret":"\#(secret)"}"#) { listener in
            let forged = [
                [], [(name: "webhook-id", value: "x1")],
                [("ce-specversion", "1.0"), ("ce-id", "x2"), ("ce-source", "/x"), ("ce-type", "t")],
            ]
            for headers in forged {
                #expect(await listener.send(to: "/hooks", body, headers: own + headers)?.status == 202)
            }
        }
        #expect(self.ids == ["Ev1"] && self.bench.repeats == 2 && self.bench.events[0].time == Self.now)
    }

    @Test(arguments: [
        ("127.0.0.1:8088", 202), ("localhost:8088", 202), ("[::1]:8088", 202), ("10.1.2.3", 202),
        ("evil.example:8088", 403), ("localhost.evil.example", 403), ("", 403),
    ]) func `without verification a name that leads here is no way in`(host: String, status: Int) async throws {
        let headers = [(name: "content-type", value: "application/json"), ("host", host)]
        #expect(try await self.serve { await $0.send(to: "/hooks", "{}", headers: headers) }?.status == status)
        let sure = headers + [(name: "authorization", value: "Bearer t0ken-one")]
        let verified = try await self.serve(#","verify":{"scheme":"bearer","token":"t0ken-one"}"#) {
            await $0.send(to: "/hooks", "{}", headers: sure)
        }
        #expect(verified?.status == 202)
    }

    @Test func `GitHub's headers give the id and the kind`() async throws {
        let body = #"{"action":"opened"}"#
        let signer = try WebhookSigner(.github, secrets: [Secret("s3cret-of-github")])
        let signature = signer.headers(id: "", timestamp: 0, body: Bytes(body))[0].value.reveal()
        let headers = [
            (name: "content-type", value: "application/json"), ("x-hub-signature-256", signature),
            ("x-github-delivery", "72d3162e-cc78"), ("x-github-event", "issues"),
        ]
        let answer = try await self.serve(#","verify":{"scheme":"github","secret":"s3cret-of-github"}"#) {
            await $0.send(to: "/hooks", body, headers: headers)
        }
        #expect(answer?.status == 202 && self.ids == ["72d3162e-cc78"] && self.bench.events[0].kind == "issues")
    }

    // MARK: Options

    @Test(arguments: [
        (#""listen":"8088""#, "'listen' is a host and a port"), (#""listen":"0.0.0.0:8088""#, "anybody who can reach"),
        (#""listen":"example.org:8088""#, "anybody who can reach"), (#""path":"hooks""#, "'path' begins with a slash"),
        (#""path":"/a b""#, "'path' begins with a slash"), (#""path":"/a\tb""#, "'path' begins with a slash"),
        (#""verify":{"scheme":"githup"}"#, "did you mean 'github'?"),
        (#""verify":{"scheme":"github"}"#, "needs 'secret'"), (#""verify":{"scheme":"bearer"}"#, "needs 'token'"),
        (#""verify":{"scheme":"basic","secret":"x"}"#, "needs 'user'"),
        (#""verify":{"scheme":"standard_webhooks","secret":"whsec_x"}"#, "a secret is whsec_ and base64"),
        (#""verify":{"scheme":"github","secret":"s","token":"t"}"#, "unknown key 'token'"),
        (#""rate_limit":"often""#, "'rate_limit' is a rate"), (#""max_body":"1""#, "'max_body' is a size"),
    ]) func `mistakes in the options are told`(json: String, message: String) {
        let diagnostics = Diagnostics()
        let options = OptionReader.stub("{\(json)}", diagnostics)
        _ = HooksSource(name: "in", options: options, context: .stub())
        #expect(diagnostics.all.contains { $0.message.contains(message) }, "\(diagnostics.all)")
    }

    @Test func `beyond loopback a scheme is needed, or somebody says that it is not`() {
        for json in [
            #"{"listen":"[::1]:1"}"#, #"{"listen":"127.9.9.9:1"}"#, #"{"listen":"localhost:1"}"#,
            #"{"listen":"0.0.0.0:1","allow_unverified":true}"#,
            #"{"listen":"0.0.0.0:1","verify":{"scheme":"bearer","token":"abcdefgh"}}"#,
        ] {
            let diagnostics = Diagnostics()
            _ = HooksSource(name: "in", options: .stub(json, diagnostics), context: .stub())
            #expect(diagnostics.all.isEmpty, "\(json)")
        }
    }

    @Test func `two sources cannot have one path of one address`() {
        let diagnostics = Diagnostics()
        let context = ComponentContext.stub(listener: DirectListener())
        for path in ["/a", "/b", "/a"] {
            _ = HooksSource(name: "in", options: .stub("{\"path\":\"\(path)\"}", diagnostics), context: context)
        }
        #expect(diagnostics.all.map(\.message).count == 1 && diagnostics.all[0].message.hasPrefix("another source has"))
    }

    @Test func `where only what is there is wanted, nothing is waited for`() async throws {
        // Nothing may listen here: it would fail.
        let context = ComponentContext.stub(listener: NoListener(), once: true)
        try await self.bench.run(HooksSource(name: "in", options: .stub("{}"), context: context))
        #expect(context.tally.current.sources["in"]?.isCaughtUp == true)
    }
}
