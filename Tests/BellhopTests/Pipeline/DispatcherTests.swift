import BellhopCore
import BellhopTesting
import Testing

@testable import Bellhop

@Suite(.timeLimit(.minutes(1))) struct DispatcherTests {
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
