import BellhopCore
import BellhopSimulator
import BellhopTesting
import Synchronization
import Testing

@testable import Bellhop

@Suite(.serialized, .timeLimit(.minutes(4))) struct TrieveTests {
    private static let start = Timestamp(seconds: 1_790_000_000)
    private let bench = SourceBench()

    /// A clock that each request to the simulator moves on by a second.
    private final class Time: Sendable {
        private let now: Mutex<Timestamp>

        init(_ now: Timestamp) { self.now = Mutex(now) }

        var value: Timestamp { self.now.withLock { $0 } }
        func step(_ duration: Duration) { self.now.withLock { $0 = $0 + duration } }
    }

    private struct SteppingClock: WallClock {
        let time: Time

        func now() -> Timestamp { self.time.value }
        func sleep(for duration: Duration) async throws {
            try Task.checkCancellation()
            self.time.step(duration)
            await Task.yield()
        }
    }

    private struct World {
        let simulator: TrieveSimulator
        let server: SimulatedServer
        let time: Time

        func source(_ options: String = "", key: String = "tr-key123", once: Bool = false) -> TrieveSource {
            TrieveSource(
                name: "shop",
                options: .stub(
                    "{\"dataset\":\"\(self.simulator.settings.dataset)\",\"api_key\":\"\(key)\",\"base_url\":\"\(self.server.url)\",\"poll_interval\":\"30s\"\(options.contains("page_limit") ? "" : ",\"page_limit\":100")\(options)}"
                ),
                context: .stub(clock: SteppingClock(time: self.time), once: once)
            )
        }
    }

    private func world(_ quirks: Set<TrieveQuirk> = [], events: Int, pace: Double = 2) async throws -> World {
        var settings = TrieveSimulator.Settings()
        settings.quirks = quirks
        let rows = TrieveSimulator.rows(events, from: Self.start, pace: pace, dataset: settings.dataset)
        // Half of them have happened when the first poll comes.
        let time = Time(rows[rows.count / 2].createdAt)
        let simulator = TrieveSimulator(settings, rows: rows) { time.value }
        let server = try await SimulatedServer { request in
            time.step(.milliseconds(300))
            return simulator.answer(request)
        }
        return World(simulator: simulator, server: server, time: time)
    }

    @Test(
        arguments: [([.late], 5000), ([], 1000), ([.late, .busyDatabase, .slow], 1000)] as [(Set<TrieveQuirk>, Int)]
    )
    func `every id comes once, through page edges, late rows and restarts`(
        quirks: Set<TrieveQuirk>,
        count: Int
    ) async throws {
        let world = try await self.world(quirks, events: count)
        for stop in [count / 10, count / 3, count * 3 / 5, count] {
            try await self.bench.run(world.source()) { $0.events.count >= stop }
        }
        // One more look, a while later: nothing is left, and nothing comes twice into the spool.
        world.time.step(.seconds(120))
        try await self.bench.run(world.source(once: true))
        #expect(Set(self.bench.events.map(\.id)) == world.simulator.ids && self.bench.events.count == count)
        #expect(self.bench.rejected.isEmpty)
        await world.server.close()
    }

    @Test(arguments: [[.oldServer], [.oldServer, .unstablePages, .late]] as [Set<TrieveQuirk>])
    func `an older server is read in windows, until nothing of them is missing`(quirks: Set<TrieveQuirk>) async throws {
        let world = try await self.world(quirks, events: 400, pace: 30)
        try await self.bench.run(world.source(#","start_from":"1d""#)) { $0.events.count >= 150 }
        try await self.bench.run(world.source(#","start_from":"1d""#)) { $0.events.count >= 400 }
        #expect(
            Set(self.bench.events.map(\.id))
                == Set(world.simulator.rows.filter { $0.dataset == world.simulator.settings.dataset }.map(\.id))
        )
        #expect(self.bench.events.count == 400)
        await world.server.close()
    }

    @Test func `rules see metadata, kind and times in one form, and what is forwarded is as it came`() async throws {
        let world = try await self.world(events: 10)
        world.time.step(.seconds(1000))
        try await self.bench.run(world.source(once: true))
        let event = try #require(self.bench.events.first)
        #expect(event.kind == "event" && event.data.string.contains(#""metadata":"{\"plan\""#))
        let rule = { (json: String) in
            let diagnostics = Diagnostics()
            let pattern = PatternReader(diagnostics).pattern(try #require(Setting(json: json)))
            return try !RuleEvaluator(RuleSet([Rule(name: "r", pattern: pattern, sinks: [])])).matches(event).isEmpty
        }
        #expect(
            try rule(#"{"event_type":"purchase","metadata.plan":["pro","free"],"metadata.n":0,"event.kind":"event"}"#)
        )
        #expect(
            try rule(
                #"{"user_id":null,"created_at":[{"after":"2026-01-01T00:00:00Z"}],"event.kind":[{"anything-but":"search"}]}"#
            )
        )
        await world.server.close()
    }

    @Test(arguments: TrieveKind.allCases) func `each kind is read from its table, and found by its id`(
        kind: TrieveKind
    ) async throws {
        var settings = TrieveSimulator.Settings()
        settings.quirks = [.late]
        let rows = TrieveKind.allCases.enumerated().flatMap { table, kind in
            (0..<25).map { number in
                let id = "00000000-0000-0000-\(table)000-0000000000\(number < 10 ? "0" : "")\(number)"
                let time = Self.start + .seconds(number / 10)
                return TrieveSimulator.Row(
                    id: id,
                    createdAt: time,
                    dataset: settings.dataset,
                    number: number,
                    table: kind.table
                )
            }
        }
        let now = Self.start + .seconds(600)
        let simulator = TrieveSimulator(settings, rows: rows) { now }
        let server = try await SimulatedServer { simulator.answer($0) }
        let world = World(simulator: simulator, server: server, time: Time(now))
        let source = world.source(#","read":"\#(kind.rawValue)","page_limit":10"#, once: true)
        try await self.bench.run(source)
        let expected = rows.filter { $0.table == kind.table }.map(\.id)
        #expect(self.bench.events.map(\.id).sorted() == expected && self.bench.rejected.isEmpty)
        #expect(Set(self.bench.events.map(\.kind)) == [kind.eventKind])
        if kind != .events {
            let plan = try JSONParser().parse(self.bench.events[0].fields) { $0["request_params"]?["plan"]?.leaf.text }
            #expect(plan == "pro" || plan == "free")
        }
        guard case .event(let event) = await source.find(expected[3], since: Self.start) else {
            Issue.record("it is there")
            return
        }
        #expect(event.id == expected[3] && event.kind == kind.eventKind)
        await server.close()
    }

    @Test func `rows of another dataset are refused, and said`() throws {
        let row = TrieveSimulator.Row(id: "a", createdAt: Self.start, dataset: "other", number: 1)
        let data = Bytes(TrieveSimulator.eventData(row))
        #expect(throws: TrieveRowError.otherDataset("other")) {
            try TrieveEventReader(source: "s", kind: .events, dataset: "mine").event(data)
        }
        let event = try TrieveEventReader(source: "s", kind: .events, dataset: nil).event(data)
        #expect(event.time == Self.start && TrieveKey(data)?.createdAt == "2026-09-21 14:13:20")
    }

    @Test func `one event is found by its id, and what else may come is told apart`() async throws {
        let world = try await self.world(events: 10)
        let row = try #require(world.simulator.rows.first { $0.dataset == world.simulator.settings.dataset })
        guard case .event(let event) = await world.source().find(row.id, since: Self.start) else {
            Issue.record("it is there")
            return
        }
        #expect(event.id == row.id && event.data.string == TrieveSimulator.eventData(row))
        func sentence(_ found: FoundEvent) -> String {
            switch found {
            case .event: "event"
            case .absent(let text): "absent: \(text)"
            case .notPermitted(let text): "not permitted: \(text)"
            case .unreachable(let text): "unreachable: \(text)"
            }
        }
        let absent = sentence(await world.source().find("00000000-0000-0000-0000-000000000001", since: Self.start))
        #expect(absent.hasPrefix("absent") && absent.contains("answers both with HTTP 500"), "\(absent)")
        let bad = sentence(await world.source().find("x'?", since: Self.start))
        #expect(bad.hasPrefix("absent") && bad.contains("ids are UUIDs"), "\(bad)")
        let refused = sentence(await world.source(key: "other").find(row.id, since: Self.start))
        #expect(refused.hasPrefix("not permitted") && refused.contains("check 'api_key'"), "\(refused)")
        await world.server.close()
        #expect(sentence(await world.source().find(row.id, since: Self.start)).hasPrefix("unreachable"))
    }

    @Test(arguments: [
        (#"{"dataset":"my-shop","api_key":"k"}"#, "'organization' must be"), (#"{"api_key":"k"}"#, "needs 'dataset'"),
        (#"{"dataset":"7b0d6b7e-3c6a-4c55-9b5c-0d6d5b9a1f00","api_key":"k","overlap":"10s"}"#, "'overlap'"),
        (#"{"dataset":"7b0d6b7e-3c6a-4c55-9b5c-0d6d5b9a1f00","api_key":"k","read":"serch"}"#, "did you mean 'search'?"),
    ])
    func `mistakes in the options are told`(json: String, message: String) {
        let diagnostics = Diagnostics()
        _ = TrieveSource(name: "s", options: .stub(json, diagnostics), context: .stub())
        #expect(diagnostics.all.contains { $0.message.contains(message) }, "\(diagnostics.all)")
    }
}
