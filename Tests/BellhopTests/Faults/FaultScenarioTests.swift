import BellhopCore
import BellhopSimulator
import BellhopTesting
import Synchronization
import Testing

@testable import Bellhop

extension Faults {
    /// What some receivers do to a sender, and what becomes of it beside the others.
    @Suite struct ScenarioTests {
        @Test func `who can never be reached gets dead letters of age, after few attempts, and the others everything`()
            async throws
        {
            let calm = ReceiverSimulator()
            let calmServer = try await SimulatedServer { calm.answer($0) }
            let context = ComponentContext.stub(once: true)
            let spool = try SQLiteSpool.inMemory()
            let mortal =
                #""retry":{"base":"10ms","cap":"50ms","give_up_after":"700ms"},"circuit_breaker":{"probe_every":"100ms"}"#
            // No such name; nobody there; a port that does not speak TLS.
            let dead = ["http://nowhere.invalid/", "http://127.0.0.1:1/", "https://127.0.0.1:\(calmServer.port)/"]
            var sinks: [any Sink] = dead.enumerated().map { FaultWorld.webhook("dead\($0)", $1, mortal, context) }
            sinks.append(FaultWorld.webhook("calm", calmServer.url, FaultWorld.hasty, context))
            try await FaultWorld.run(sinks, spool: spool, context: context)
            let ledger = try await DeliveryLedger(spool, events: FaultWorld.ids, sinks: sinks.map(\.name))
            #expect(try ledger.violations(["calm": calm.receipts]) == [])
            #expect(calm.accepted == FaultWorld.count)
            for (number, word) in ["does not resolve", "cannot connect", "TLS"].enumerated() {
                #expect(ledger.count("dead\(number)", "dead") == FaultWorld.count)
                let answers = ledger.answers("dead\(number)")
                #expect(answers.allSatisfy { $0.hasPrefix("given up after") }, "\(answers)")
                // On a machine that is busy beyond measure an attempt may end by its timeout.
                #expect(answers.count { $0.contains(word) } > answers.count / 2, "\(answers)")
                // Without the breaker each would have been tried about thirty times.
                #expect(ledger.attempts("dead\(number)").reduce(0, +) < 2 * FaultWorld.count)
                #expect(context.tally.current.sinks["dead\(number)"]?.problem != nil)
            }
            await calmServer.close()
        }

        @Test func `a redirect is refused, and nobody asks where it leads`() async throws {
            let elsewhere = ReceiverSimulator()
            let elsewhereServer = try await SimulatedServer { elsewhere.answer($0) }
            let server = try await SimulatedServer { _ in
                SimulatedAnswer(status: 307, headers: [("Location", elsewhereServer.url)])
            }
            let context = ComponentContext.stub(once: true)
            let spool = try SQLiteSpool.inMemory()
            try await FaultWorld.run(
                [FaultWorld.webhook("hook", server.url, FaultWorld.hasty, context)],
                spool: spool,
                context: context
            )
            let ledger = try await DeliveryLedger(spool, events: FaultWorld.ids, sinks: ["hook"])
            #expect(try ledger.violations([:]) == [] && ledger.count("hook", "dead") == FaultWorld.count)
            #expect(elsewhere.requests == 0)
            await server.close()
            await elsewhereServer.close()
        }

        @Test func `200 with an error in the body is no delivery to Slack`() async throws {
            let server = try await SimulatedServer { _ in SimulatedAnswer(body: "channel_is_archived") }
            let context = ComponentContext.stub(once: true)
            let spool = try SQLiteSpool.inMemory()
            let options = OptionReader.stub("{\"url\":\"\(server.url)\",\"rate_limit\":\"none\"}")
            try await FaultWorld.run(
                [ChatSink<Slack>(name: "ops", options: options, context: context)],
                spool: spool,
                context: context
            )
            let ledger = try await DeliveryLedger(spool, events: FaultWorld.ids, sinks: ["ops"])
            #expect(ledger.count("ops", "dead") == FaultWorld.count)
            #expect(ledger.answers("ops") == ["HTTP 200 from 127.0.0.1:\(server.port): channel_is_archived"])
            await server.close()
        }

        @Test func `410 disables a sink and keeps what it is owed, until a restart`() async throws {
            let receiver = ReceiverSimulator()
            receiver.change { $0.script = [SimulatedAnswer(status: 410, body: "moved out")] }
            let server = try await SimulatedServer { receiver.answer($0) }
            let spool = try SQLiteSpool.inMemory()
            let options = FaultWorld.hasty + #","ordered":"sink""#
            let first = ComponentContext.stub(once: true)
            try await FaultWorld.run(
                [FaultWorld.webhook("hook", server.url, options, first)],
                spool: spool,
                context: first
            )
            #expect(receiver.requests == 1)
            #expect(first.tally.current.sinks["hook"]?.isDisabled == true)
            #expect(try await spool.pendingSinks() == ["hook": FaultWorld.count - 1])
            let second = ComponentContext.stub(once: true)
            try await FaultWorld.run(
                [FaultWorld.webhook("hook", server.url, options, second)],
                spool: spool,
                context: second,
                batches: []
            )
            let ledger = try await DeliveryLedger(spool, events: FaultWorld.ids, sinks: ["hook"])
            #expect(try ledger.violations(["hook": receiver.receipts]) == [])
            #expect(ledger.count("hook", "dead") == 1 && ledger.count("hook", "delivered") == FaultWorld.count - 1)
            await server.close()
        }

        @Test func `with on_unknown hold, what may have arrived waits for a person, and its task goes on`() async throws
        {
            let receiver = ReceiverSimulator()
            receiver.change { $0.script = Array(repeating: SimulatedAnswer(fault: .reset), count: 5) }
            let server = try await SimulatedServer { receiver.answer($0) }
            let spool = try SQLiteSpool.inMemory()
            let options = FaultWorld.hasty + #","on_unknown":"hold""#
            let first = ComponentContext.stub(once: true)
            try await FaultWorld.run(
                [FaultWorld.webhook("hook", server.url, options, first)],
                spool: spool,
                context: first
            )
            #expect(first.tally.current.held == 5 && receiver.accepted == FaultWorld.count - 5)
            var held = DeliveryFilter()
            held.states = ["held"]
            #expect(try await spool.deliveries(held).allSatisfy { $0.answer?.contains("no whole answer") == true })
            #expect(try await spool.retry(held, now: SystemClock().now()) == 5)
            let second = ComponentContext.stub(once: true)
            try await FaultWorld.run(
                [FaultWorld.webhook("hook", server.url, options, second)],
                spool: spool,
                context: second,
                batches: []
            )
            let ledger = try await DeliveryLedger(spool, events: FaultWorld.ids, sinks: ["hook"])
            #expect(ledger.count("hook", "delivered") == FaultWorld.count && receiver.accepted == FaultWorld.count)
            await server.close()
        }

        @Test func `a pause holds for all sinks of a host, and for no other`() async throws {
            let arrivals = Mutex<[(path: String, at: ContinuousClock.Instant)]>([])
            let server = try await SimulatedServer { request in
                let isFirst = arrivals.withLock { arrivals in
                    arrivals.append((request.path, .now))
                    return arrivals.count == 1
                }
                return isFirst ? SimulatedAnswer(status: 429, headers: [("Retry-After", "1")]) : SimulatedAnswer()
            }
            let calm = ReceiverSimulator()
            let calmServer = try await SimulatedServer { calm.answer($0) }
            let context = ComponentContext.stub(once: true)
            let spool = try SQLiteSpool.inMemory()
            let slow = FaultWorld.hasty + #","ordered":"sink","rate_limit":"none""#
            async let all: Void = FaultWorld.run(
                [
                    FaultWorld.webhook("a", "\(server.url)/a", slow, context),
                    FaultWorld.webhook("b", "\(server.url)/b", slow, context),
                    FaultWorld.webhook("calm", calmServer.url, slow, context),
                ],
                spool: spool,
                context: context
            )
            await calm.waitForAccepted(FaultWorld.count)
            let before = arrivals.withLock { $0.count }
            try await all
            let times = arrivals.withLock { $0 }
            #expect(times.count == 2 * FaultWorld.count + 1)
            // What was under way when the pause began may arrive in its first moments.
            let start = times[0].at
            let during = times.filter { $0.at > start + .milliseconds(200) && $0.at < start + .milliseconds(950) }
            #expect(during.isEmpty && before <= 3)
            await server.close()
            await calmServer.close()
        }

        @Test func `a rate is kept for a host, whichever sink sends`() async throws {
            let receiver = ReceiverSimulator()
            let server = try await SimulatedServer { receiver.answer($0) }
            let context = ComponentContext.stub(once: true)
            let options = FaultWorld.hasty + #","rate_limit":"20/500ms""#
            let start = ContinuousClock.now
            try await FaultWorld.run(
                [
                    FaultWorld.webhook("a", "\(server.url)/a", options, context),
                    FaultWorld.webhook("b", "\(server.url)/b", options, context),
                ],
                spool: .inMemory(),
                context: context
            )
            // 96 requests, 20 at once and then 40 a second.
            #expect(ContinuousClock.now - start >= .milliseconds(1890))
            #expect(receiver.accepted == 2 * FaultWorld.count)
            await server.close()
        }

        @Test func `thousands of tasks that the receiver can never take do not hold back one that it can`() async throws
        {
            let stuck = 6000
            let good = ReceiverSimulator()
            let server = try await SimulatedServer { request in
                request.body.count > 40 ? SimulatedAnswer(status: 500) : good.answer(request)
            }
            let long = String(repeating: "x", count: 40)
            let batches = stride(from: 0, to: stuck, by: 500)
                .map { start in
                    (start..<start + 500)
                        .map {
                            Event.stub(id: "s\($0)", source: "scripted", task: "s\($0)", json: "{\"x\":\"\(long)\"}")
                        }
                }
            let context = ComponentContext.stub()
            let spool = try SQLiteSpool.inMemory()
            // More than the window holds, each waiting for a minute or so.
            let options =
                #""retry":{"base":"10m","cap":"10m"},"circuit_breaker":{"failures":0},"concurrency":16,"timeout":"5s""#
            let sink = FaultWorld.webhook("hook", server.url, options, context)
            let rules = RuleSet([Rule(name: "all", sinks: ["hook"])])
            let fine = (0..<20).map {
                Event.stub(id: "f\($0)", source: "scripted", task: "f\($0 % 4)", json: "{\"n\":\($0)}")
            }
            let source = ScriptedSource(batches: batches + [fine], stays: true)
            let pipeline = Pipeline(sources: [source], sinks: [sink], rules: rules, spool: spool, context: context)
            async let running: Void = pipeline.run()
            await good.waitForAccepted(20)
            context.shutdown.begin()
            try await running
            #expect(try await spool.pendingSinks() == ["hook": stuck])
            // Full jitter sends a few of them a second time.
            #expect(context.tally.current.sinks["hook"].map { $0.retries >= stuck } == true)
            await server.close()
        }
    }
}
