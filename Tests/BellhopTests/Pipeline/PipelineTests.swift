import BellhopCore
import BellhopSimulator
import BellhopTesting
import Synchronization
import Testing

@testable import Bellhop

@Suite(.timeLimit(.minutes(4))) struct PipelineTests {
    private let rules = RuleSet([Rule(name: "all", sinks: ["sink"])])

    /// Runs Relay Pro through a pipeline once, against the simulator.
    private func runOnce(
        _ quirks: Set<RelayQuirk>,
        events: Int = 700,
        spool: SQLiteSpool,
        sink: RecordingSink,
        options: String = ""
    ) async throws -> (RelayProSimulator, Tally) {
        var settings = RelayProSimulator.Settings()
        settings.events = events
        settings.quirks = quirks
        let simulator = RelayProSimulator(settings, now: { SystemClock().now() })
        let server = try await SimulatedServer { simulator.answer($0) }
        let tally = Tally()
        let context = ComponentContext.stub(clock: HastyClock(), tally: tally, once: true)
        let diagnostics = Diagnostics()
        let reader = OptionReader.stub(
            "{\"subscriber_id\":\"s\",\"api_key\":\"apikey123\",\"base_url\":\"\(server.url)\"\(options)}",
            diagnostics
        )
        let source = RelayProSource(name: "relay", options: reader, context: context)
        #expect(diagnostics.all.isEmpty)
        try await Pipeline(sources: [source], sinks: [sink], rules: self.rules, spool: spool, context: context).run()
        await server.close()
        return (simulator, tally)
    }

    static let harmless: [RelayQuirk] = RelayQuirk.allCases.filter { quirk in
        ![.newestFirst, .stuckTimestamp, .noFractions, .redirect, .unauthorized, .forbidden, .notFound].contains(quirk)
    }

    @Test(arguments: harmless) func `every event is delivered once, whatever the API does`(
        quirk: RelayQuirk
    ) async throws {
        let sink = RecordingSink(dispatch: DispatchPolicy(concurrency: 4))
        let spool = try SQLiteSpool.inMemory()
        let events = quirk == .slow ? 150 : 700
        let (simulator, tally) = try await self.runOnce([quirk], events: events, spool: spool, sink: sink)
        let delivered = sink.deliveries.map(\.event.id)
        #expect(Set(delivered) == simulator.ids)
        #expect(delivered.count == simulator.ids.count)
        #expect(tally.current.sources["relay"]?.possibleLosses == [])
        #expect(tally.current.sources["relay"]?.problem == nil)
        if quirk == .badElements { #expect(tally.current.rejected == RelayEventTextBadElements.count) }
    }

    @Test(arguments: harmless) func `a second run repeats nothing`(quirk: RelayQuirk) async throws {
        let spool = try SQLiteSpool.inMemory()
        _ = try await self.runOnce([quirk], events: 120, spool: spool, sink: RecordingSink())
        let again = RecordingSink()
        _ = try await self.runOnce([quirk], events: 120, spool: spool, sink: again)
        #expect(again.deliveries.isEmpty)
    }

    @Test(arguments: [RelayQuirk.newestFirst, .stuckTimestamp, .noFractions])
    func `what no request can reach is reported, and everything else delivered`(quirk: RelayQuirk) async throws {
        let sink = RecordingSink()
        // No fractions hurt only where a second holds more than a page.
        let quirks: Set<RelayQuirk> = quirk == .noFractions ? [quirk, .busySecond] : [quirk]
        let (simulator, tally) = try await self.runOnce(quirks, spool: .inMemory(), sink: sink)
        let delivered = sink.deliveries.map(\.event.id)
        #expect(Set(delivered) == simulator.servedIDs && delivered.count == simulator.servedIDs.count)
        #expect(simulator.servedIDs.count < simulator.ids.count)
        #expect(tally.current.sources["relay"]?.possibleLosses.isEmpty == false)
    }

    @Test(arguments: [
        (RelayQuirk.unauthorized, "401"), (.forbidden, "403"), (.notFound, "404"), (.redirect, "redirect"),
    ])
    func `what only a person can mend is said once, and the checkpoint stays`(
        quirk: RelayQuirk,
        reason: String
    ) async throws {
        let spool = try SQLiteSpool.inMemory()
        _ = try await self.runOnce([], events: 50, spool: spool, sink: RecordingSink())
        let before = try await spool.checkpoint(of: "relay")
        let (simulator, tally) = try await self.runOnce([quirk], events: 50, spool: spool, sink: RecordingSink())
        #expect(tally.current.sources["relay"]?.problem?.contains(reason) == true)
        #expect(simulator.requests == 1)
        #expect(try await spool.checkpoint(of: "relay") == before)
    }

    @Test func `events leave in order within their task, through failures`() async throws {
        let attempts = Mutex<[Int64: Int]>([:])
        let sink = RecordingSink(
            dispatch: DispatchPolicy(
                concurrency: 8,
                retry: RetryPolicy(base: .milliseconds(20), cap: .milliseconds(40), giveUpAfter: .seconds(60))
            )
        ) { delivery in
            let attempt = attempts.withLock { attempts in
                attempts[delivery.id, default: 0] += 1
                return attempts[delivery.id, default: 0]
            }
            return delivery.id % 3 == 0 && attempt < 3 ? .failure(.transient(reason: "503")) : .success("ok")
        }
        let spool = try SQLiteSpool.inMemory()
        let (simulator, tally) = try await self.runOnce([], events: 300, spool: spool, sink: sink)
        #expect(tally.current.delivered == simulator.ids.count && tally.current.retries > 50)
        var last: [String: Int64] = [:]
        for delivery in sink.deliveries {
            let task = try #require(delivery.event.task)
            #expect(last[task, default: 0] <= delivery.id)
            last[task] = delivery.id
        }
        #expect(try await spool.pendingSinks().isEmpty)
    }

    @Test func `a refused delivery is a dead letter at once, and the others go on`() async throws {
        let sink = RecordingSink { $0.id == 2 ? .failure(.permanent(reason: "HTTP 404")) : .success("ok") }
        let spool = try SQLiteSpool.inMemory()
        let (_, tally) = try await self.runOnce([], events: 20, spool: spool, sink: sink)
        #expect(tally.current.deadLetters == 1 && tally.current.delivered == 19)
        var filter = DeliveryFilter()
        filter.states = ["dead"]
        #expect(try await spool.deliveries(filter).map(\.answer) == ["HTTP 404"])
    }

    @Test func `a backlog larger than memory is read from the spool, in order and without a gap`() async throws {
        let spool = try SQLiteSpool.inMemory()
        let count = 3000
        for start in stride(from: 0, to: count, by: 500) {
            let events = (start..<start + 500).map { Event.stub(id: "e\($0)", source: "old", task: "t\($0 % 7)") }
            let batch = Batch(source: "old", events: events, checkpoint: nil)
            _ = try await spool.append(
                batch,
                routes: events.map { _ in [Route(rule: "all", sink: "sink")] },
                now: SystemClock().now()
            )
        }
        let sink = RecordingSink(dispatch: DispatchPolicy(concurrency: 8))
        _ = try await self.runOnce([], events: 30, spool: spool, sink: sink)
        let old = sink.deliveries.filter { $0.event.source == "old" }
        #expect(old.count == count)
        for task in 0..<7 {
            let ids = old.filter { $0.event.task == "t\(task)" }.map(\.id)
            #expect(ids == ids.sorted())
        }
    }

    @Test func `shutdown lets attempts under way end, closes the sinks, and keeps the rest`() async throws {
        let (started, start) = AsyncStream<Void>.makeStream()
        let (released, release) = AsyncStream<Void>.makeStream()
        let sink = RecordingSink(dispatch: DispatchPolicy(order: .sink)) { _ in
            start.yield()
            for await _ in released { break }
            return .success("ok")
        }
        let shutdown = Shutdown()
        let spool = try SQLiteSpool.inMemory()
        let context = ComponentContext.stub(shutdown: shutdown)
        let source = ScriptedSource(batches: [(0..<5).map { .stub(id: "e\($0)") }], stays: true)
        let pipeline = Pipeline(sources: [source], sinks: [sink], rules: self.rules, spool: spool, context: context)
        async let running: Void = pipeline.run()
        for await _ in started { break }
        shutdown.begin()
        // By the time sources are told to stop, dispatchers take nothing more.
        for await _ in source.cancelled { break }
        release.yield()
        try await running
        #expect(sink.deliveries.count == 1 && sink.isClosed)
        #expect(try await spool.pendingSinks() == ["sink": 4])
    }

    @Test func `a spool that cannot take a batch fails its source, which begins again from the checkpoint`()
        async throws
    {
        let folder = try TemporaryFolder()
        let spool = try SQLiteSpool(folder: folder.path, maxSize: 1_100_000)
        let big = "{\"x\":\"\(String(repeating: "y", count: 200_000))\"}"
        let context = ComponentContext.stub(once: true)
        let source = ScriptedSource(batches: (0..<20).map { [.stub(id: "e\($0)", json: big)] })
        let sink = RecordingSink()
        try await Pipeline(sources: [source], sinks: [sink], rules: self.rules, spool: spool, context: context).run()
        let problem = try #require(context.tally.current.sources["scripted"]?.problem)
        #expect(problem.contains("no room"))
        #expect(sink.deliveries.count == context.tally.current.events && sink.deliveries.count > 1)
        #expect(try await spool.checkpoint(of: "scripted")?.position == "\(sink.deliveries.count)")
    }

    @Test func `a spool that takes events again is noticed, though nobody sends any`() async throws {
        let shutdown = Shutdown()
        let context = ComponentContext.stub(clock: HastyClock(), shutdown: shutdown)
        context.tally.spool("database is locked")
        let source = ScriptedSource(batches: [], stays: true)
        let pipeline = Pipeline(
            sources: [source],
            sinks: [RecordingSink()],
            rules: self.rules,
            spool: try SQLiteSpool.inMemory(),
            context: context
        )
        async let running: Void = pipeline.run()
        while context.tally.current.spoolProblem != nil { try await Task.sleep(for: .milliseconds(5)) }
        shutdown.begin()
        try await running
    }
}

private enum RelayEventTextBadElements {
    /// The simulator's distinct ones: each is kept once, however often it is read.
    static let count = 6
}

/// Real time, but long waits are cut: back-off is tested elsewhere, on a clock that stands still.
private struct HastyClock: WallClock {
    func now() -> Timestamp { SystemClock().now() }
    func sleep(for duration: Duration) async throws { try await Task.sleep(for: min(duration, .milliseconds(30))) }
}
