import BellhopCore
import BellhopTesting
import Synchronization
import Testing

@testable import Bellhop

/// What is taken, what is refused, and what senders are told.
@Suite(.timeLimit(.minutes(4))) struct HooksTests {
    private let hooks = HookBench()

    // MARK: What is taken

    @Test func `an event is taken with id, time and task, and answered once it is on disk`() async throws {
        let answer = try await self.hooks.post(
            #"{"event_id":"e1","timestamp":"2026-11-21T03:00:00Z","task":{"id":"t1"},"n":1}"#
        )
        #expect(answer == (202, "{\"accepted\":1}"))
        let event = try #require(self.hooks.bench.events.first)
        #expect(event.id == "e1" && event.task == "t1" && event.time == Timestamp("2026-11-21T03:00:00Z"))
        #expect(event.data.string.hasSuffix("\"n\":1}") && event.source == "in" && event.kind == nil)
    }

    @Test func `a list is a batch, and a bad element costs only itself`() async throws {
        let answer = try await self.hooks.post(#"[{"event_id":"a"}, 3, {"event_id":"b"}, {"event_id":]"#)
        #expect(answer == (400, answer.body) && self.hooks.ids == [])
        let second = try await self.hooks.post(#"[{"event_id":"a"}, 3, {"event_id":"b"}]"#)
        #expect(second == (202, #"{"accepted":2,"rejected":1}"#))
        #expect(self.hooks.ids == ["a", "b"] && self.hooks.bench.rejected.map(\.data.string).last == "3")
        let empty = try await self.hooks.post("[]")
        #expect(empty == (202, #"{"accepted":0}"#))
    }

    @Test func `what is no event is answered with 400 and kept for a person`() async throws {
        for body in ["{", "7", "\"x\"", "{\"a\":}"] {
            let answer = try await self.hooks.post(body)
            #expect(answer.status == 400 && answer.body.contains("\"detail\""), "\(body): \(answer.body)")
        }
        #expect(self.hooks.bench.rejected.map(\.data.string) == ["{", "7", "\"x\"", "{\"a\":}"])
        #expect(try await self.hooks.post("").status == 400)
    }

    @Test func `a configured id comes first, then the sender's header, then the event's own`() async throws {
        func send(_ options: String, _ headers: [(name: String, value: String)]) async throws -> String? {
            let json: [(name: String, value: String)] = [("content-type", "application/json")]
            _ = try await self.hooks.serve(options) {
                await $0.send(to: "/hooks", #"{"event_id":"own","key":"named"}"#, headers: json + headers)
            }
            return self.hooks.bench.events.last?.id
        }
        #expect(try await send("", []) == "own")
        #expect(try await send("", [("webhook-id", "msg_1")]) == "msg_1")
        #expect(try await send(#","id":"key""#, [("webhook-id", "msg_2")]) == "named")
    }

    @Test func `what is sent again under its id is one event; without any id, each is another`() async throws {
        try await self.hooks.serve { listener in
            for _ in 0..<2 {
                let headers = [(name: "content-type", value: "application/json"), ("webhook-id", "m1")]
                let answer = await listener.send(to: "/hooks", #"[{"x":1},{"x":1}]"#, headers: headers)
                #expect(answer?.status == 202)
            }
            for _ in 0..<2 { _ = await listener.send(to: "/hooks", #"{"x":1}"#) }
        }
        // A message of its own is none of a list's.
        _ = try await self.hooks.serve {
            await $0.send(to: "/hooks", "{}", headers: [("content-type", "application/json"), ("webhook-id", "m1/0")])
        }
        #expect(self.hooks.ids.last == "m1%2F0")
        #expect(
            self.hooks.ids.prefix(2) == ["m1/0", "m1/1"] && self.hooks.bench.repeats == 2 && self.hooks.ids.count == 5
        )
        #expect(self.hooks.ids[2].hasPrefix("hook-") && Set(self.hooks.ids).count == 5)
    }

    @Test func `an id too long to be written is known by its hash`() async throws {
        let long = String(repeating: "x", count: 201)
        try await self.hooks.serve { listener in
            for _ in 0..<2 {
                let headers = [(name: "content-type", value: "application/json"), ("webhook-id", long)]
                _ = await listener.send(to: "/hooks", "{}", headers: headers)
                _ = await listener.send(to: "/hooks", "{\"event_id\":\"\(long)y\"}")
            }
        }
        #expect(
            self.hooks.ids.count == 2 && self.hooks.bench.repeats == 2
                && self.hooks.ids.allSatisfy { $0.hasPrefix("sha256-") }
        )
    }

    @Test func `of what is no event, the start is kept, and reasons are short`() async throws {
        let body = "{\"specversion\":\"\(String(repeating: "9", count: 100_000))\"}"
        let headers = [(name: "content-type", value: "application/cloudevents+json")]
        let answer = try await self.hooks.serve { await $0.send(to: "/hooks", body, headers: headers) }
        let rejected = try #require(self.hooks.bench.rejected.first)
        #expect(answer?.status == 400 && (answer?.body.utf8.count ?? 0) < 1000)
        #expect(rejected.data.count == 65_536 && rejected.reason.utf8.count < 600)
    }

    // MARK: What is refused

    @Test(arguments: [
        "", "text/plain", "application/x-www-form-urlencoded", "application/json; charset=latin1",
        "application/cloudevents+avro", "application/xml",
    ]) func `other kinds of bodies are refused with 415`(type: String) async throws {
        let answer = try await self.hooks.serve { await $0.send(to: "/hooks", "{}", headers: [("content-type", type)]) }
        #expect(answer?.status == 415 && answer?.body.contains("application/json") == true && self.hooks.ids == [])
    }

    @Test func `compressed bodies are refused, other methods too`() async throws {
        let headers = [(name: "content-type", value: "application/json"), ("content-encoding", "gzip")]
        let packed = try await self.hooks.serve { await $0.send(to: "/hooks", "{}", headers: headers) }
        #expect(packed?.status == 415 && packed?.headers.first?.name == "accept-encoding")
        for method in ["GET", "PUT", "DELETE", "HEAD"] {
            let answer = try await self.hooks.serve { await $0.send(method, to: "/hooks", "{}") }
            #expect(answer?.status == 405 && answer?.headers.first?.value == "POST, OPTIONS")
        }
    }

    @Test func `who may not send is refused before the body is read, and nothing is kept`() async throws {
        let isRead = Mutex(false)
        let options = #","verify":{"scheme":"bearer","token":["t0ken-one","t0ken-two"]}"#
        try await self.hooks.serve(options) { listener in
            let wrong = [(name: "content-type", value: "application/json"), ("authorization", "Bearer x")]
            let answer = await listener.send(to: "/hooks", #"{"event_id":"e"}"#, headers: wrong) {
                isRead.withLock { $0 = true }
            }
            #expect(answer?.status == 401 && answer?.headers.first?.name == "www-authenticate")
            let right = [(name: "content-type", value: "application/json"), ("authorization", "Bearer t0ken-two")]
            #expect(await listener.send(to: "/hooks", #"{"event_id":"e"}"#, headers: right)?.status == 202)
        }
        #expect(!isRead.withLock { $0 } && self.hooks.ids == ["e"] && self.hooks.bench.rejected.isEmpty)
    }

    @Test func `beyond the rate a sender is told when to come again`() async throws {
        let clock = ManualClock()
        try await self.hooks.serve(#","rate_limit":"2/10s""#, clock: clock) { listener in
            var answers: [InboundAnswer?] = []
            for _ in 0..<3 { answers.append(await listener.send(to: "/hooks", "{}")) }
            #expect(answers.map { $0?.status } == [202, 202, 429])
            #expect(answers[2]?.headers.first?.name == "retry-after" && answers[2]?.headers.first?.value == "5")
            clock.advance(by: .seconds(5))
            #expect(await listener.send(to: "/hooks", "{}")?.status == 202)
        }
        #expect(self.hooks.ids.count == 3)
    }

    @Test func `what the spool does not take is answered with 503, for all who waited`() async throws {
        let isFull = Mutex(true)
        try await self.hooks.serve(commits: { _ in !isFull.withLock { $0 } }) { listener in
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
        #expect(self.hooks.ids == ["e1"])
    }

    @Test func `many requests at once share few commits, each in one of them`() async throws {
        let batches = Mutex(0)
        try await self.hooks.serve(commits: { _ in
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
        #expect(Set(self.hooks.ids).count == 500 && self.hooks.bench.repeats == 0 && batches.withLock { $0 } < 250)
    }
}
