import BellhopCore
import BellhopTesting
import Synchronization
import Testing

@testable import Bellhop

@Suite(.timeLimit(.minutes(4))) struct DispatcherTests {
    private let clock = ManualClock()
    private let rules = RuleSet([Rule(name: "all", sinks: ["sink"])])

    /// Appends events to a spool, and runs a dispatcher over it until everything is settled.
    private func run(
        _ sink: RecordingSink,
        events: [Event],
        tally: Tally = Tally(),
        meanwhile: @Sendable @escaping (Dispatcher, SQLiteSpool) async throws -> Void
    ) async throws -> SQLiteSpool {
        let spool = try SQLiteSpool.inMemory()
        let context = ComponentContext.stub(clock: self.clock, tally: tally)
        let settler = Settler(spool: spool, clock: SystemClock(), logger: context.logger)
        let dispatcher = Dispatcher(
            sink: sink,
            rules: self.rules,
            spool: spool,
            settler: settler,
            paces: HostPaces(),
            context: context
        )
        let batch = Batch(source: "relay", events: events, checkpoint: nil)
        let routes = events.map { _ in [Route(rule: "all", sink: "sink")] }
        _ = try await spool.append(batch, routes: routes, now: self.clock.now())
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await settler.run() }
            group.addTask {
                await dispatcher.run()
                settler.close()
            }
            group.addTask {
                try await meanwhile(dispatcher, spool)
                dispatcher.finish()
            }
            try await group.waitForAll()
        }
        await settler.flush()
        return spool
    }

    @Test func `a failed delivery waits for its time, and its event is read from the spool again`() async throws {
        let policy = RetryPolicy(base: .seconds(60), cap: .seconds(60), giveUpAfter: .seconds(3600))
        let sink = RecordingSink(dispatch: DispatchPolicy(retry: policy)) { delivery in
            delivery.attempt == 1 ? .failure(.transient(reason: "503", after: .seconds(30))) : .success("ok")
        }
        let clock = self.clock
        let start = clock.now()
        let spool = try await self.run(sink, events: [.stub(id: "a", json: #"{"x":1}"#)]) { _, _ in
            // The dispatcher sleeps in steps; each is a chance to come too early.
            async let _: Void = {
                for await _ in clock.sleeps { clock.advance(by: .milliseconds(100)) }
            }()
            await sink.waitForAttempts(2)
        }
        #expect(clock.now() - start >= .seconds(30))
        #expect(sink.deliveries.map(\.attempt) == [1, 2])
        #expect(sink.deliveries.last?.event.data.string == #"{"x":1}"#)
        #expect(try await spool.pendingSinks().isEmpty)
    }

    @Test(arguments: [-86_400, -5, 3000] as [Int64])
    func `a clock that jumps loses nothing, and nobody waits longer for it`(seconds: Int64) async throws {
        let policy = RetryPolicy(base: .seconds(60), cap: .seconds(60), giveUpAfter: .seconds(3600))
        let sink = RecordingSink(dispatch: DispatchPolicy(retry: policy)) { delivery in
            delivery.attempt == 1 ? .failure(.transient(reason: "503", after: .seconds(30))) : .success("ok")
        }
        let clock = self.clock
        let waited = Stopwatch()
        let spool = try await self.run(sink, events: [.stub(id: "a", task: "t"), .stub(id: "b", task: "t")]) { _, _ in
            await sink.waitForAttempts(1)
            async let _: Void = {
                var steps = 0
                for await _ in clock.sleeps {
                    clock.advance(by: .milliseconds(100))
                    waited.add(.milliseconds(100))
                    steps += 1
                    if steps == 20 { clock.jump(by: .seconds(seconds)) }
                }
            }()
            await sink.waitForAttempts(4)
        }
        // A jump ahead may only bring the attempt forward.
        #expect(waited.total < .seconds(70))
        if seconds < 0 { #expect(waited.total >= .seconds(30)) }
        #expect(sink.deliveries.map(\.event.id) == ["a", "a", "b", "b"])
        #expect(try await spool.pendingSinks().isEmpty)
    }

    @Test func `a delivery that comes while only the rate holds it back goes when it may`() async throws {
        let rate = RateLimit(Rate(1, per: .seconds(10)), .sink)
        let sink = RecordingSink(dispatch: DispatchPolicy(host: "http://h:80", rate: rate))
        let clock = self.clock
        let start = clock.now()
        _ = try await self.run(sink, events: [.stub(id: "a")]) { dispatcher, spool in
            async let _: Void = {
                for await _ in clock.sleeps { clock.advance(by: .milliseconds(100)) }
            }()
            await sink.waitForAttempts(1)
            let batch = Batch(source: "relay", events: [.stub(id: "b")], checkpoint: nil)
            let appended = try await spool.append(batch, routes: [[Route(rule: "all", sink: "sink")]], now: clock.now())
            dispatcher.offer(appended.deliveries["sink"] ?? [])
            await sink.waitForAttempts(2)
        }
        #expect(clock.now() - start >= .seconds(10))
    }

    @Test func `what a person discards while it is under way is not tried again`() async throws {
        let policy = RetryPolicy(base: .milliseconds(10), cap: .milliseconds(10), giveUpAfter: .seconds(3600))
        let clock = self.clock
        let (held, hold) = AsyncStream<Void>.makeStream()
        let sink = RecordingSink(dispatch: DispatchPolicy(retry: policy)) { _ in
            for await _ in held { break }
            return .failure(.transient(reason: "503", after: .seconds(6 * 3600)))
        }
        let spool = try await self.run(sink, events: [.stub(id: "a")]) { dispatcher, spool in
            await sink.waitForAttempts(1)
            let discarded = try await spool.discard(DeliveryFilter(), now: clock.now())
            #expect(discarded == 1)
            hold.yield()
            dispatcher.finish()
            // Steps of a tenth of a second; the next attempt would be hours away.
            async let _: Void = {
                for await _ in clock.sleeps { clock.advance(by: .milliseconds(100)) }
            }()
            while !dispatcher.state.withLock({ dispatcher.isDone($0) }) { await Task.yield() }
        }
        #expect(sink.deliveries.count == 1)
        var discarded = DeliveryFilter()
        discarded.states = ["discarded"]
        #expect(try await spool.count(discarded) == 1)
    }

    @Test func `a delivery too old is given up`() async throws {
        let policy = RetryPolicy(base: .seconds(1), cap: .seconds(1), giveUpAfter: .zero)
        let sink = RecordingSink(dispatch: DispatchPolicy(retry: policy)) { _ in .failure(.transient(reason: "503")) }
        let tally = Tally()
        let spool = try await self.run(sink, events: [.stub(id: "a")], tally: tally) { _, _ in
            await sink.waitForAttempts(1)
        }
        #expect(tally.current.deadLetters == 1)
        var filter = DeliveryFilter()
        filter.states = ["dead"]
        #expect(try await spool.deliveries(filter).first?.answer?.contains("given up") == true)
    }

    @Test func `what another process made pending is taken up after a reload`() async throws {
        let sink = RecordingSink { $0.attempt == 1 ? .failure(.permanent(reason: "404")) : .success("ok") }
        let spool = try await self.run(sink, events: [.stub(id: "a"), .stub(id: "b")]) { dispatcher, spool in
            await sink.waitForAttempts(2)
            var dead = DeliveryFilter()
            dead.states = ["dead"]
            while try await spool.retry(dead, now: SystemClock().now()) < 2 { await Task.yield() }
            dispatcher.reload()
            await sink.waitForAttempts(4)
        }
        #expect(try await spool.pendingSinks().isEmpty)
        #expect(sink.deliveries.count == 4)
    }

    @Test func `a delivery of a rule that is gone goes out all the same`() async throws {
        let spool = try SQLiteSpool.inMemory()
        let sink = RecordingSink()
        let context = ComponentContext.stub(once: true)
        let batch = Batch(source: "relay", events: [.stub()], checkpoint: nil)
        _ = try await spool.append(batch, routes: [[Route(rule: "former", sink: "sink")]], now: self.clock.now())
        try await Pipeline(
            sources: [ScriptedSource(batches: [])],
            sinks: [sink],
            rules: self.rules,
            spool: spool,
            context: context
        ).run()
        #expect(sink.deliveries.map(\.rule.name) == ["former"])
    }
}

/// Adds up what a test has let pass.
private final class Stopwatch: Sendable {
    private let passed = Mutex<Duration>(.zero)

    var total: Duration { self.passed.withLock { $0 } }
    func add(_ duration: Duration) { self.passed.withLock { $0 += duration } }
}
