import BellhopCore
import BellhopSimulator
import BellhopTesting
import Synchronization
import Testing

@testable import Bellhop

/// Everything a receiver can do to a sender, through the whole pipeline: nothing is lost, nothing comes twice under
/// another name, and each task keeps its order.
@Suite(.serialized, .timeLimit(.minutes(4))) struct FaultTests {
    struct Fault: Sendable, CustomTestStringConvertible {
        let testDescription: String
        var script: [SimulatedAnswer] = []
        /// Requests from the first that are reset before their body is read.
        var resets = 0
        /// Attempts that must not count.
        var isFree = false
        /// May the receiver have taken what the sender sends again?
        var mayRepeat = false

        static func times(_ count: Int, _ answer: SimulatedAnswer) -> [SimulatedAnswer] {
            Array(repeating: answer, count: count)
        }
    }

    /// `Sun, 06 Nov 1994 08:49:37 GMT`, so many seconds from now.
    private static func date(in seconds: Int64) -> String {
        let time = Timestamp(seconds: SystemClock().now().seconds + seconds)
        let text = time.formatted(.seconds)
        let names = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        let month = names[(Int(text.dropFirst(5).prefix(2)) ?? 1) - 1]
        return "Mon, \(text.dropFirst(8).prefix(2)) \(month) \(text.prefix(4)) \(text.dropFirst(11).prefix(8)) GMT"
    }

    static let faults: [Fault] = [
        Fault(testDescription: "500 for 40 attempts", script: Fault.times(40, SimulatedAnswer(status: 500))),
        Fault(
            testDescription: "429, Retry-After in seconds",
            script: Fault.times(3, SimulatedAnswer(status: 429, headers: [("Retry-After", "1")])),
            isFree: true
        ),
        Fault(
            testDescription: "429, Retry-After as a date",
            script: Fault.times(3, SimulatedAnswer(status: 429, headers: [("Retry-After", Self.date(in: 2))])),
            isFree: true
        ),
        Fault(
            testDescription: "429, retry_after in JSON",
            script: Fault.times(9, SimulatedAnswer(status: 429, body: #"{"retry_after":0.1}"#)),
            isFree: true
        ),
        Fault(testDescription: "429 and no more", script: Fault.times(2, SimulatedAnswer(status: 429)), isFree: true),
        Fault(
            testDescription: "503 with Retry-After",
            script: Fault.times(3, SimulatedAnswer(status: 503, headers: [("Retry-After", "1")]))
        ),
        Fault(testDescription: "reset before the body is read", resets: 12),
        Fault(
            testDescription: "reset after the body was read",
            script: Fault.times(12, SimulatedAnswer(fault: .reset)),
            mayRepeat: true
        ),
        Fault(
            testDescription: "half an answer",
            script: Fault.times(12, SimulatedAnswer(body: "0123456789", fault: .cutShort)),
            mayRepeat: true
        ),
        Fault(
            testDescription: "a head that never ends",
            script: Fault.times(5, SimulatedAnswer(fault: .halfHead)),
            mayRepeat: true
        ),
        Fault(
            testDescription: "a body that never ends",
            script: Fault.times(5, SimulatedAnswer(body: "0123456789", fault: .stall)),
            mayRepeat: true
        ),
        Fault(
            testDescription: "an answer after the sender's patience",
            script: Fault.times(5, SimulatedAnswer(delay: .seconds(1))),
            mayRepeat: true
        ),
        Fault(
            testDescription: "no answer at all",
            script: Fault.times(5, SimulatedAnswer(fault: .silence)),
            mayRepeat: true
        ),
        Fault(
            testDescription: "a bit of everything",
            script: (0..<60).map { number in
                switch number % 6 {
                case 0: SimulatedAnswer(status: 502)
                case 1: SimulatedAnswer(fault: .reset)
                case 2: SimulatedAnswer(status: 429, body: #"{"retry_after":0.02}"#)
                case 3: SimulatedAnswer(body: "0123456789", fault: .cutShort)
                case 4: SimulatedAnswer(status: 408)
                default: SimulatedAnswer(body: "ok")
                }
            },
            mayRepeat: true
        ),
    ]

    // MARK: - The world

    private static let count = 48
    private static let tasks = 6
    private static let ids = (0..<Self.count).map { "e\($0)" }

    private var batches: [[Event]] {
        stride(from: 0, to: Self.count, by: 12)
            .map { start in
                (start..<start + 12)
                    .map { number in
                        let json = "{\"event_id\":\"e\(number)\",\"task\":{\"id\":\"t\(number % Self.tasks)\"}}"
                        return Event.stub(
                            id: "e\(number)",
                            source: "scripted",
                            task: "t\(number % Self.tasks)",
                            json: json
                        )
                    }
            }
    }

    private static let quick = #""retry":{"base":"10ms","cap":"50ms"},"circuit_breaker":{"probe_every":"20ms"}"#
    /// For faults that take all of the sender's patience.
    static let impatient = #""timeout":"300ms","# + Self.quick
    static let hasty = #""timeout":"20s","# + Self.quick

    /// Runs all events through a pipeline until everything is settled.
    private func run(
        _ sinks: [any Sink],
        spool: SQLiteSpool,
        context: ComponentContext,
        batches: [[Event]]? = nil
    ) async throws {
        let rules = RuleSet([Rule(name: "all", sinks: sinks.map(\.name))])
        let source = ScriptedSource(batches: batches ?? self.batches)
        try await Pipeline(sources: [source], sinks: sinks, rules: rules, spool: spool, context: context).run()
    }

    private func webhook(_ name: String, _ url: String, _ options: String, _ context: ComponentContext) -> WebhookSink {
        let diagnostics = Diagnostics()
        let reader = OptionReader.stub("{\"url\":\"\(url)\",\(options)}", diagnostics)
        let sink = WebhookSink(name: name, options: reader, context: context)
        #expect(diagnostics.all.isEmpty)
        return sink
    }

    @Test(arguments: Self.faults) func `whatever a receiver does, every event arrives, in order, under one name`(
        fault: Fault
    ) async throws {
        let receiver = ReceiverSimulator()
        receiver.change { $0.script = fault.script }
        let resets = Atomic(fault.resets)
        let server = try await SimulatedServer(
            resets: { path in
                path == "/hook" && resets.wrappingSubtract(1, ordering: .relaxed).oldValue > 0
            },
            answer: { receiver.answer($0) }
        )
        let calm = ReceiverSimulator()
        let calmServer = try await SimulatedServer { calm.answer($0) }
        let context = ComponentContext.stub(once: true)
        let spool = try SQLiteSpool.inMemory()
        try await self.run(
            [
                self.webhook("hook", "\(server.url)/hook", fault.mayRepeat ? Self.impatient : Self.hasty, context),
                self.webhook("calm", "\(calmServer.url)/calm", Self.hasty, context),
            ],
            spool: spool,
            context: context
        )
        let ledger = try await DeliveryLedger(spool, events: Self.ids, sinks: ["hook", "calm"])
        #expect(try ledger.violations(["hook": receiver.receipts, "calm": calm.receipts]) == [])
        #expect(ledger.count("hook", "delivered") == Self.count && ledger.count("calm", "delivered") == Self.count)
        #expect(receiver.accepted == Self.count || fault.mayRepeat)
        #expect(calm.accepted == Self.count)
        if fault.isFree { #expect(ledger.attempts("hook").allSatisfy { $0 == 1 }) }
        await server.close()
        await calmServer.close()
    }

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
        var sinks: [any Sink] = dead.enumerated().map { self.webhook("dead\($0)", $1, mortal, context) }
        sinks.append(self.webhook("calm", calmServer.url, Self.hasty, context))
        try await self.run(sinks, spool: spool, context: context)
        let ledger = try await DeliveryLedger(spool, events: Self.ids, sinks: sinks.map(\.name))
        #expect(try ledger.violations(["calm": calm.receipts]) == [])
        #expect(calm.accepted == Self.count)
        for (number, word) in ["does not resolve", "cannot connect", "TLS"].enumerated() {
            #expect(ledger.count("dead\(number)", "dead") == Self.count)
            let answers = ledger.answers("dead\(number)")
            #expect(answers.allSatisfy { $0.hasPrefix("given up after") && $0.contains(word) }, "\(answers)")
            // Without the breaker each would have been tried about thirty times.
            #expect(ledger.attempts("dead\(number)").reduce(0, +) < 2 * Self.count)
            #expect(context.tally.current.sinks["dead\(number)"]?.problem?.contains(word) == true)
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
        try await self.run([self.webhook("hook", server.url, Self.hasty, context)], spool: spool, context: context)
        let ledger = try await DeliveryLedger(spool, events: Self.ids, sinks: ["hook"])
        #expect(try ledger.violations([:]) == [] && ledger.count("hook", "dead") == Self.count)
        #expect(elsewhere.requests == 0)
        await server.close()
        await elsewhereServer.close()
    }

    @Test func `200 with an error in the body is no delivery to Slack`() async throws {
        let server = try await SimulatedServer { _ in SimulatedAnswer(body: "channel_is_archived") }
        let context = ComponentContext.stub(once: true)
        let spool = try SQLiteSpool.inMemory()
        let options = OptionReader.stub("{\"url\":\"\(server.url)\",\"rate_limit\":\"none\"}")
        try await self.run(
            [ChatSink<Slack>(name: "ops", options: options, context: context)],
            spool: spool,
            context: context
        )
        let ledger = try await DeliveryLedger(spool, events: Self.ids, sinks: ["ops"])
        #expect(ledger.count("ops", "dead") == Self.count)
        #expect(ledger.answers("ops") == ["HTTP 200 from 127.0.0.1:\(server.port): channel_is_archived"])
        await server.close()
    }

    @Test func `410 disables a sink and keeps what it is owed, until a restart`() async throws {
        let receiver = ReceiverSimulator()
        receiver.change { $0.script = [SimulatedAnswer(status: 410, body: "moved out")] }
        let server = try await SimulatedServer { receiver.answer($0) }
        let spool = try SQLiteSpool.inMemory()
        let options = Self.hasty + #","ordered":"sink""#
        let first = ComponentContext.stub(once: true)
        try await self.run([self.webhook("hook", server.url, options, first)], spool: spool, context: first)
        #expect(receiver.requests == 1)
        #expect(first.tally.current.sinks["hook"]?.isDisabled == true)
        #expect(try await spool.pendingSinks() == ["hook": Self.count - 1])
        let second = ComponentContext.stub(once: true)
        try await self.run(
            [self.webhook("hook", server.url, options, second)],
            spool: spool,
            context: second,
            batches: []
        )
        let ledger = try await DeliveryLedger(spool, events: Self.ids, sinks: ["hook"])
        #expect(try ledger.violations(["hook": receiver.receipts]) == [])
        #expect(ledger.count("hook", "dead") == 1 && ledger.count("hook", "delivered") == Self.count - 1)
        await server.close()
    }

    @Test func `with on_unknown hold, what may have arrived waits for a person, and its task goes on`() async throws {
        let receiver = ReceiverSimulator()
        receiver.change { $0.script = Fault.times(5, SimulatedAnswer(fault: .reset)) }
        let server = try await SimulatedServer { receiver.answer($0) }
        let spool = try SQLiteSpool.inMemory()
        let options = Self.hasty + #","on_unknown":"hold""#
        let first = ComponentContext.stub(once: true)
        try await self.run([self.webhook("hook", server.url, options, first)], spool: spool, context: first)
        #expect(first.tally.current.held == 5 && receiver.accepted == Self.count - 5)
        var held = DeliveryFilter()
        held.states = ["held"]
        #expect(try await spool.deliveries(held).allSatisfy { $0.answer?.contains("no whole answer") == true })
        #expect(try await spool.retry(held, now: SystemClock().now()) == 5)
        let second = ComponentContext.stub(once: true)
        try await self.run(
            [self.webhook("hook", server.url, options, second)],
            spool: spool,
            context: second,
            batches: []
        )
        let ledger = try await DeliveryLedger(spool, events: Self.ids, sinks: ["hook"])
        #expect(ledger.count("hook", "delivered") == Self.count && receiver.accepted == Self.count)
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
        let slow = Self.hasty + #","ordered":"sink","rate_limit":"none""#
        async let all: Void = self.run(
            [
                self.webhook("a", "\(server.url)/a", slow, context),
                self.webhook("b", "\(server.url)/b", slow, context),
                self.webhook("calm", calmServer.url, slow, context),
            ],
            spool: spool,
            context: context
        )
        await calm.waitForAccepted(Self.count)
        let before = arrivals.withLock { $0.count }
        try await all
        let times = arrivals.withLock { $0 }
        #expect(times.count == 2 * Self.count + 1)
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
        let options = Self.hasty + #","rate_limit":"20/500ms""#
        let start = ContinuousClock.now
        try await self.run(
            [
                self.webhook("a", "\(server.url)/a", options, context),
                self.webhook("b", "\(server.url)/b", options, context),
            ],
            spool: .inMemory(),
            context: context
        )
        // 96 requests, 20 at once and then 40 a second.
        #expect(ContinuousClock.now - start >= .milliseconds(1890))
        #expect(receiver.accepted == 2 * Self.count)
        await server.close()
    }

    @Test func `thousands of tasks that the receiver can never take do not hold back one that it can`() async throws {
        let stuck = 6000
        let good = ReceiverSimulator()
        let server = try await SimulatedServer { request in
            request.body.count > 40 ? SimulatedAnswer(status: 500) : good.answer(request)
        }
        let long = String(repeating: "x", count: 40)
        let batches = stride(from: 0, to: stuck, by: 500)
            .map { start in
                (start..<start + 500)
                    .map { Event.stub(id: "s\($0)", source: "scripted", task: "s\($0)", json: "{\"x\":\"\(long)\"}") }
            }
        let context = ComponentContext.stub()
        let spool = try SQLiteSpool.inMemory()
        // More than the window holds, each waiting for a minute or so.
        let options =
            #""retry":{"base":"10m","cap":"10m"},"circuit_breaker":{"failures":0},"concurrency":16,"timeout":"5s""#
        let sink = self.webhook("hook", server.url, options, context)
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
