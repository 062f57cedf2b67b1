import BellhopCore
import BellhopSimulator
import BellhopTesting
import Synchronization
import Testing

@testable import Bellhop

@Suite(.timeLimit(.minutes(4))) struct HTTPPollTests {
    private let bench = SourceBench()

    /// An API of so many events, one a second, that answers as `answer` says.
    private func run(
        _ options: String,
        runs: Int = 1,
        _ answer: @escaping @Sendable (SimulatedRequest) -> SimulatedAnswer
    ) async throws -> [String] {
        let asked = Mutex<[String]>([])
        let server = try await SimulatedServer { request in
            let query = request.query.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: "&")
            asked.withLock { $0.append(query) }
            return answer(request)
        }
        let context = ComponentContext.stub(clock: StandingClock(Self.time(100)), once: true)
        let source = HTTPPollSource(
            name: "api",
            options: .stub("{\"url\":\"\(server.url)/v1/list\"\(options)}"),
            context: context
        )
        for _ in 0..<runs { try await self.bench.run(source) }
        await server.close()
        return asked.withLock { $0 }
    }

    private static func time(_ second: Int) -> Timestamp { Timestamp(seconds: 1_790_000_000 + Int64(second)) }
    private static func item(_ number: Int) -> String {
        "{\"id\":\"i\(number)\",\"timestamp\":\"\(self.time(number).formatted(.seconds))\"}"
    }
    private static func list(_ numbers: some Sequence<Int>) -> String { JSONText.array(numbers.map { self.item($0) }) }
    private var ids: [String] { self.bench.events.map(\.id) }

    @Test func `without a cursor everything is asked again, and what is known skipped`() async throws {
        let asked = try await self.run("", runs: 2) { _ in SimulatedAnswer(body: Self.list(1...3)) }
        #expect(self.ids == ["i1", "i2", "i3"] && asked.count == 3 && self.bench.events[0].time == Self.time(1))
    }

    @Test func `the newest time, less the overlap, is asked for`() async throws {
        let asked = try await self.run(
            #","cursor":{"query":"since","from":"last_time"},"overlap":"5s","start_from":"100s""#
        ) { request in
            let since = Timestamp(request.query["since"] ?? "") ?? .distantPast
            return SimulatedAnswer(body: Self.list((1...50).filter { Self.time($0) >= since }.prefix(20)))
        }
        #expect(self.ids == (1...50).map { "i\($0)" })
        #expect(asked.count >= 4 && asked[1] == "since=\(Self.time(15).formatted(.seconds))", "\(asked)")
    }

    @Test func `the last id is asked for, also after a restart`() async throws {
        let asked = try await self.run(#","cursor":{"query":"after","from":"last_id"}"#, runs: 2) { request in
            let after = Int((request.query["after"] ?? "i0").dropFirst()) ?? 0
            return SimulatedAnswer(body: Self.list((after + 1..<26).prefix(10)))
        }
        #expect(self.ids == (1...25).map { "i\($0)" } && self.bench.repeats == 0)
        #expect(asked == ["", "after=i10", "after=i20", "after=i25", "after=i25"])
    }

    @Test func `a field of the answer is the cursor`() async throws {
        let options = #","items":"data.rows","cursor":{"query":"page","field":"data.next"}"#
        _ = try await self.run(options) { request in
            let page = Int(request.query["page"] ?? "0") ?? 0
            let next = page < 2 ? ",\"next\":\(page + 1)" : ",\"next\":null"
            return SimulatedAnswer(body: "{\"data\":{\"rows\":\(Self.list(page * 2...page * 2 + 1))\(next)}}")
        }
        #expect(self.ids == (0...5).map { "i\($0)" })
    }

    @Test func `a Link header leads on, but to no other server`() async throws {
        _ = try await self.run(#","cursor":{"link":true}"#) { request in
            let page = Int(request.query["page"] ?? "0") ?? 0
            let target = page == 2 ? "https://evil.example/x?page=9" : "/v1/list?page=\(page + 1)"
            let link = ("Link", "</v1/list?page=0>; rel=\"prev\", <\(target)>; rel=\"next\"")
            return SimulatedAnswer(headers: [link], body: Self.list(page * 2...page * 2 + 1))
        }
        #expect(self.ids == (0...5).map { "i\($0)" })
    }

    @Test func `bad items cost only themselves, and an id can be missing`() async throws {
        _ = try await self.run("", runs: 2) { _ in SimulatedAnswer(body: "[7,{\"x\":1},{bad},\(Self.item(1))]") }
        #expect(self.bench.events.count == 2 && self.bench.events[0].id == "i1")
        #expect(Set(self.bench.rejected.map(\.data.string)) == ["7", "{bad}"])
    }

    @Test(arguments: [
        (200, "{\"data\":[]}", "it is no list; say where the list stands"), (200, "<html>", "it is no list"),
        (200, "[1,", "cut short"),
        (401, "", "HTTP 401: check 'headers'"), (302, "", "a redirect"),
    ])
    func `what cannot be read is said, and the checkpoint stays`(
        status: Int,
        body: String,
        message: String
    ) async throws {
        let error = await #expect(throws: SourceError.self) {
            _ = try await self.run("") { _ in SimulatedAnswer(status: status, body: body) }
        }
        #expect(error?.description.contains(message) == true, "\(String(describing: error))")
        #expect(self.bench.checkpoint == nil)
    }

    @Test(arguments: [
        (#"{"url":"https://x.example","cursor":{"query":"a"}}"#, "'cursor' is"),
        (#"{"url":"https://x.example","items":"a..b"}"#, "empty field name"),
        (#"{"url":"https://x.example","cursor":{"link":true,"query":"x"}}"#, "'cursor' is"), (#"{}"#, "needs 'url'"),
        (#"{"url":"https://x.example","headers":{"A":"b\nc"}}"#, "line break"),
    ])
    func `mistakes in the options are told`(json: String, message: String) {
        let diagnostics = Diagnostics()
        _ = HTTPPollSource(name: "s", options: .stub(json, diagnostics), context: .stub())
        #expect(diagnostics.all.contains { $0.message.contains(message) }, "\(diagnostics.all)")
    }
}
