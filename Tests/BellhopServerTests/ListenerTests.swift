import Bellhop
import BellhopCore
import Synchronization
import Testing

@testable import BellhopServer

// One after the other, and patient: what answers runs on the threads that all tests share.
@Suite(.serialized, .timeLimit(.minutes(5))) struct ListenerTests {
    /// Serves while `body` runs; what is posted is answered with its length, `GET` with the path.
    private func serve<Result: Sendable>(
        _ limits: ListenerLimits = ListenerLimits(),
        paths: [String] = ["/a"],
        bodyLimit: Int = 10_000,
        answer: (@Sendable (InboundRequest) async -> InboundAnswer)? = nil,
        _ body: (Int) async throws -> Result
    ) async throws -> Result {
        let listener = HummingbirdListener(limits)
        let address = try #require(ListenAddress("127.0.0.1:0"))
        let (started, continuation) = AsyncStream<Int>.makeStream()
        return try await withThrowingTaskGroup(of: Void.self) { group in
            for path in paths {
                let service = InboundService(path: path, bodyLimit: bodyLimit) { request in
                    if let answer { return await answer(request) }
                    do throws(InboundAnswer) {
                        return InboundAnswer(200, body: "\(try await request.body().count)")
                    } catch {
                        return error
                    }
                }
                group.addTask { try await listener.serve(service, at: address) { _ = continuation.yield($0) } }
            }
            var waiting = started.makeAsyncIterator()
            var port = 0
            for _ in paths { port = await waiting.next() ?? 0 }
            defer { group.cancelAll() }
            return try await body(port)
        }
    }

    private static let last = "connection: close\r\n"

    @Test func `several paths share an address, and others are not found`() async throws {
        let transcript = try await self.serve(paths: ["/a", "/b"]) { port in
            await RawConnection.run(
                port: port,
                [
                    .send(RawConnection.post("/a", "12345") + RawConnection.post("/b?x=1", "123")),
                    .send(RawConnection.post("/c", "{}")), .send(RawConnection.post("/a/", "{}", more: Self.last)),
                ]
            )
        }
        #expect(transcript.statuses == [200, 200, 404, 404])
        #expect(transcript.text.contains("\r\n\r\n5HTTP") && transcript.text.contains("\r\n\r\n3HTTP"))
        #expect(transcript.text.contains("application/problem+json") && transcript.text.contains(" GMT\r\n"))
    }

    @Test func `a body that is too long is refused, announced or not`() async throws {
        try await self.serve { port in
            let announced = "POST /a HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000000\r\n\r\n{"
            let refused = await RawConnection.run(port: port, closes: false, [.send(announced), .read(answers: 1)])
            #expect(refused.statuses == [413])
            let chunk = "2710\r\n" + String(repeating: "x", count: 10_000) + "\r\n"
            let chunked = "POST /a HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"
            let fits = await RawConnection.run(
                port: port,
                closes: false,
                [.send(chunked + chunk + "0\r\n\r\n"), .read(answers: 1)]
            )
            #expect(fits.statuses == [200])
            let long = await RawConnection.run(
                port: port,
                closes: false,
                [.send(chunked + chunk + "1\r\ny\r\n0\r\n\r\n"), .read(answers: 1)]
            )
            #expect(long.statuses == [413])
        }
    }

    @Test func `bodies have so much room together, and it is given back`() async throws {
        var limits = ListenerLimits()
        limits.bodies = 3000
        try await self.serve(limits) { port in
            let body = String(repeating: "x", count: 2000)
            let half = RawConnection.post("/a", body).dropLast(10)
            // One holds its room until it is cut off; the other finds none.
            async let holder = RawConnection.run(
                port: port,
                closes: false,
                [.send(String(half)), .wait(milliseconds: 1000), .send("xxxxxxxxxx"), .read(answers: 1)]
            )
            var statuses: Set<Int> = []
            while !statuses.contains(503) {
                let other = await RawConnection.run(
                    port: port,
                    [.send(RawConnection.post("/a", body, more: Self.last))]
                )
                statuses.formUnion(other.statuses)
                try #require(statuses.isSubset(of: [200, 503]))
            }
            #expect(await holder.statuses == [200])
            let after = await RawConnection.run(port: port, [.send(RawConnection.post("/a", body, more: Self.last))])
            #expect(after.statuses == [200])
        }
    }

    private static var hasty: ListenerLimits {
        var limits = ListenerLimits()
        (limits.head, limits.idle, limits.body) = (.milliseconds(150), .milliseconds(150), .milliseconds(150))
        (limits.answer, limits.tick) = (.seconds(300), .milliseconds(20))
        return limits
    }

    @Test(arguments: ["POST /a HTTP/1.1\r\n", "POST /a HTTP/1.1\r\nhost: x\r\ncontent-length: 99999\r\n\r\n"])
    func `who sends a byte now and then is cut off`(start: String) async throws {
        // Until it is closed: a deadline that each byte moves would never come.
        let steps = [RawConnection.Step.send(start), .drip("a", milliseconds: 20)]
        let transcript = try await self.serve(Self.hasty) { await RawConnection.run(port: $0, steps) }
        #expect(transcript.isClosed && !transcript.statuses.contains(200))
    }

    @Test func `who sends nothing at all is cut off`() async throws {
        let transcript = try await self.serve(Self.hasty) { await RawConnection.run(port: $0, []) }
        #expect(transcript.isClosed && transcript.text.isEmpty)
    }

    @Test func `a connection that is not used is closed, one that waits for its answer is not`() async throws {
        let transcript = try await self.serve(
            Self.hasty,
            answer: { _ in
                try? await Task.sleep(for: .milliseconds(400))
                return InboundAnswer(200, body: "late")
            }
        ) { await RawConnection.run(port: $0, [.send(RawConnection.post("/a", "{}")), .read(answers: 1)]) }
        #expect(transcript.statuses == [200] && transcript.isClosed)
    }

    @Test func `more connections than allowed wait for their turn`() async throws {
        var limits = ListenerLimits()
        limits.connections = 1
        let (asked, ask) = AsyncStream<Void>.makeStream()
        let answer: @Sendable (InboundRequest) async -> InboundAnswer = { _ in
            ask.yield()
            return InboundAnswer(200)
        }
        try await self.serve(limits, answer: answer) { port in
            let post = RawConnection.post("/a", "{}")
            async let first = RawConnection.run(
                port: port,
                closes: false,
                [.send(post), .read(answers: 1), .wait(milliseconds: 300), .mark]
            )
            for await _ in asked { break }
            // The first has the place; the other is answered behind its end.
            let second = await RawConnection.run(port: port, [.send(post + post), .read(answers: 1), .mark, .finish])
            let end = try #require(await first.marks.first)
            #expect(second.statuses.first == 200 && second.marks.count == 1 && end <= second.marks[0])
        }
    }

    @Test(arguments: [
        "POST /a HTTP/1.0\r\ncontent-type: x\r\ncontent-length: 2\r\n\r\n{}",
        "POST /a HTTP/1.1\r\nhost: x\r\nconnection: TE, Close\r\ncontent-length: 2\r\n\r\n{}",
    ]) func `a connection that its client wants closed is closed`(request: String) async throws {
        let transcript = try await self.serve { await RawConnection.run(port: $0, [.send(request)]) }
        #expect(transcript.statuses == [200] && transcript.isClosed)
    }

    @Test func `HEAD has no body, and who waits to be asked for one is asked`() async throws {
        try await self.serve(answer: { _ in InboundAnswer(200, body: "{\"a\":1}") }) { port in
            let head = "HEAD /a HTTP/1.1\r\nhost: x\r\n\r\n"
            let transcript = await RawConnection.run(
                port: port,
                [.send(head + RawConnection.post("/a", "{}", more: Self.last))]
            )
            #expect(transcript.statuses == [200, 200] && transcript.text.ranges(of: "{\"a\":1}").count == 1)
        }
        try await self.serve { port in
            let head = "POST /a HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\(Self.last)\r\n"
            let transcript = await RawConnection.run(port: port, [.send(head), .read(answers: 1), .send("{}")])
            #expect(transcript.statuses == [100, 200])
        }
    }

    @Test func `what comes behind a refusal is not read for ever`() async throws {
        try await self.serve { port in
            let head = "POST /a HTTP/1.1\r\nhost: x\r\ncontent-length: 99000000000\r\n\r\n"
            let chunk = String(repeating: "x", count: 64 * 1024)
            let transcript = await RawConnection.run(port: port, [.send(head), .read(answers: 1), .flood(chunk)])
            #expect(transcript.statuses == [413] && transcript.isClosed && transcript.sent < 50_000_000)
        }
    }

    @Test func `a sender that never ends does not hold up the end`() async throws {
        var limits = ListenerLimits()
        // Nothing else would end it before the test's own limit.
        limits.body = .seconds(3600)
        (limits.linger, limits.tick) = (.milliseconds(200), .milliseconds(20))
        let listener = HummingbirdListener(limits)
        let (entered, enter) = AsyncStream<Void>.makeStream()
        let service = InboundService(path: "/a", bodyLimit: 100) { request in
            enter.yield()
            return (try? await request.body()).map { _ in InboundAnswer(200) } ?? InboundAnswer(400)
        }
        let (started, start) = AsyncStream<Int>.makeStream()
        let serving = Task { try await listener.serve(service, at: .unknown) { _ = start.yield($0) } }
        var ports = started.makeAsyncIterator()
        let port = await ports.next() ?? 0
        let head = "POST /a HTTP/1.1\r\nhost: x\r\ncontent-length: 99\r\n\r\n1"
        async let slow = RawConnection.run(port: port, [.send(head), .drip("1", milliseconds: 50)])
        for await _ in entered { break }
        serving.cancel()
        try await serving.value
        #expect(await slow.isClosed)
    }

    @Test func `what is no HTTP is refused, and harms nobody else`() async throws {
        try await self.serve { port in
            let many = (0..<200).map { "h\($0): x\r\n" }.joined()
            for junk in [
                "hello\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "\u{0}\u{1}\u{2}",
                RawConnection.post("/a", "{}", more: many),
                "GET / HTTP/1.1\r\nhost: x\r\nlong: \(String(repeating: "y", count: 40_000))\r\n\r\n",
                "POST /a HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\n123456",
                "POST /a HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n",
            ] {
                let transcript = await RawConnection.run(port: port, [.send(junk), .finish])
                #expect(transcript.isClosed && !transcript.statuses.contains(200), "\(junk.prefix(40))")
            }
            let good = await RawConnection.run(port: port, [.send(RawConnection.post("/a", "{}", more: Self.last))])
            #expect(good.statuses == [200])
        }
    }

    @Test func `at the end what is under way is answered, and the port is free again`() async throws {
        let (entered, enter) = AsyncStream<Void>.makeStream()
        let mayLeave = Mutex(false)
        let listener = HummingbirdListener()
        let slow = InboundService(path: "/a", bodyLimit: 100) { _ in
            enter.yield()
            while !mayLeave.withLock({ $0 }) { try? await Task.sleep(for: .milliseconds(5)) }
            return InboundAnswer(202, body: "done")
        }
        let (started, start) = AsyncStream<Int>.makeStream()
        let serving = Task { try await listener.serve(slow, at: .unknown) { _ = start.yield($0) } }
        var ports = started.makeAsyncIterator()
        let address = ListenAddress.unknown.on(await ports.next() ?? 0)
        async let underWay = RawConnection.run(port: address.port, [.send(RawConnection.post("/a", "{}"))])
        for await _ in entered { break }
        serving.cancel()
        // Another request on a connection of its own finds the door closed, while the first is still inside.
        var late: [Int] = []
        repeat {
            let post = RawConnection.post("/a", "{}", more: Self.last)
            late = await RawConnection.run(port: address.port, patience: 1, [.send(post)]).statuses
        } while late == []
        #expect(late == [503])
        mayLeave.withLock { $0 = true }
        try await serving.value
        let transcript = await underWay
        #expect(transcript.statuses == [202] && transcript.isClosed)

        let again = InboundService(path: "/a", bodyLimit: 100) { _ in InboundAnswer(204) }
        let (restarted, restart) = AsyncStream<Void>.makeStream()
        let second = Task { try await listener.serve(again, at: address) { _ in restart.yield() } }
        for await _ in restarted { break }
        let post = RawConnection.post("/a", "{}", more: Self.last)
        #expect(await RawConnection.run(port: address.port, [.send(post)]).statuses == [204])
        second.cancel()
        try await second.value
    }

    @Test func `an address that is taken is told, and so is a path`() async throws {
        try await self.serve { port in
            let service = InboundService(path: "/a", bodyLimit: 100) { _ in InboundAnswer(204) }
            let address = try #require(ListenAddress("127.0.0.1:\(port)"))
            let error = await #expect(throws: ListenerError.self) {
                try await HummingbirdListener().serve(service, at: address) { _ in }
            }
            #expect(error?.description.contains("cannot listen on 127.0.0.1:\(port)") == true, "\(error as Any)")
        }
        let listener = HummingbirdListener()
        let address = try #require(ListenAddress("127.0.0.1:80"))
        #expect(listener.reserve("/a", at: address) && !listener.reserve("/a", at: address))
        #expect(listener.reserve("/b", at: address))
        let all = try #require(ListenAddress("0.0.0.0:80"))
        #expect(!listener.reserve("/c", at: all) && listener.reserve("/c", at: all.on(81)))
    }
}
