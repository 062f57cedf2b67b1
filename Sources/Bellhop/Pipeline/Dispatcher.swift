import BellhopCore
import Logging
import Synchronization

/// Hands one sink its deliveries: in order, as many at once as it wants, again after failures, and from the spool when
/// there are more than memory should hold. What becomes of another sink is none of its business.
final class Dispatcher: Sendable {
    enum Phase { case running, finishing, stopped }

    struct State {
        var window: DeliveryWindow
        /// Everything pending up to here is in the window; what comes behind it is in the spool.
        var cursor: Delivery.ID = 0
        /// There may be pending deliveries behind the cursor.
        var isBehind = true
        var isReading = false
        var phase = Phase.running
        var inFlight = 0
        var idle: [CheckedContinuation<Void, Never>] = []
        /// Counts reloads: a read that began before one is out of date.
        var generation = 0
        /// Deliveries whose last outcome the spool does not know yet: what it says of them is out of date.
        var unsettled: Set<Delivery.ID> = []
        /// Those that were recorded while a read was under way, which may not have seen it.
        var settledDuringRead: Set<Delivery.ID> = []
    }

    /// Event bytes that may wait in memory; beyond, deliveries are read from the spool when their turn comes.
    static let byteLimit = 4 * 1024 * 1024
    static let readLimit = 512

    let sink: any Sink
    private let policy: DispatchPolicy
    private let rules: RuleSet
    let spool: any Spool
    private let settler: Settler
    let clock: any WallClock
    private let tally: Tally
    let logger: Logger
    let once: Bool
    let shutdown: Shutdown
    private let failures: FailureLog
    let state: Mutex<State>
    let feeder = Doorbell()
    let alarm = Doorbell()

    init(sink: any Sink, rules: RuleSet, spool: any Spool, settler: Settler, context: ComponentContext) {
        self.sink = sink
        self.policy = sink.dispatch
        self.rules = rules
        self.spool = spool
        self.settler = settler
        self.clock = context.clock
        self.tally = context.tally
        self.once = context.once
        self.shutdown = context.shutdown
        var logger = context.logger
        logger[metadataKey: LogKeys.sink] = "\(sink.name)"
        self.logger = logger
        self.failures = FailureLog(logger)
        self.state = Mutex(State(window: DeliveryWindow(sink.dispatch)))
    }

    /// Delivers until ``stop()``, or after ``finish()`` until nothing is pending. Cancellation gives up attempts under way.
    func run() async {
        await withDiscardingTaskGroup { group in
            group.addTask { await self.feed() }
            group.addTask { await self.wakeWhenDue() }
            for _ in 0..<self.policy.concurrency {
                group.addTask { await self.work() }
            }
            self.feeder.ring()
        }
        await self.sink.close()
    }

    /// Takes what was just committed without reading it back, where nothing older is still on disk.
    func offer(_ deliveries: [PendingDelivery]) {
        let now = self.clock.now()
        let awake: [CheckedContinuation<Void, Never>] = self.state.withLock { state in
            // A read may have come before this offer, and brought some of them already.
            let deliveries = deliveries.filter { $0.id > state.cursor }
            guard !state.isBehind, !state.isReading, state.window.room >= deliveries.count,
                state.window.bytes < Dispatcher.byteLimit
            else {
                state.isBehind = true
                self.feeder.ring()
                return []
            }
            self.take(deliveries, into: &state, now: now)
            return self.awaken(&state)
        }
        for continuation in awake { continuation.resume() }
    }

    /// Reads everything again: somebody else has changed the spool.
    func reload() {
        self.state.withLock { state in
            state.window.forgetWaiting(but: state.unsettled, now: self.clock.now())
            state.generation += 1
            state.cursor = 0
            state.isBehind = true
        }
        self.feeder.ring()
    }

    /// Takes no more work, and ends once the attempts under way have.
    func stop() { self.enter(.stopped) }

    /// Ends once nothing is pending.
    func finish() { self.enter(.finishing) }

    private func enter(_ phase: Phase) {
        self.state.withLock { $0.phase = phase }
        self.feeder.ring()
        self.endIfDone()
    }

    // MARK: - Work

    private func work() async {
        while let claimed = await self.next() {
            var outcomes: [(id: Delivery.ID, outcome: Outcome)] = []
            var settlements: [Settlement] = []
            do {
                let deliveries = try await self.deliveries(claimed)
                let verdicts = await self.sink.deliver(deliveries)
                let now = self.clock.now()
                for (pending, verdict) in zip(claimed, verdicts) {
                    let outcome = self.policy.retry.outcome(
                        of: verdict,
                        attempt: pending.attempts + 1,
                        accepted: pending.accepted,
                        now: now,
                        jitter: Double.random(in: 0...1)
                    )
                    outcomes.append((pending.id, outcome))
                    settlements.append(
                        Settlement(id: pending.id, attempt: pending.attempts + 1, outcome: outcome, at: now)
                    )
                }
                self.failures.note(claimed, outcomes.map(\.outcome), now: now)
            } catch {
                // The spool could not be read: no attempt was made.
                self.logger.error("deliveries cannot be read from the spool", metadata: [LogKeys.reason: "\(error)"])
                outcomes = claimed.map { ($0.id, .released) }
                try? await self.clock.sleep(for: .seconds(1))
            }
            self.tally.settled(sink: self.sink.name, outcomes.map(\.outcome))
            self.giveBack(claimed, outcomes)
            await self.settler.submit(settlements) { self.recorded($0) }
        }
    }

    private func deliveries(_ claimed: [PendingDelivery]) async throws -> [Delivery] {
        let missing = claimed.filter { $0.event == nil }.map(\.id)
        let read = missing.isEmpty ? [:] : try await self.spool.events(of: missing)
        return try claimed.map { pending in
            guard let event = pending.event ?? read[pending.id] else {
                throw SpoolError.failed(path: "", reason: "the event of delivery \(pending.id) is not there")
            }
            // A rule that is gone leaves its deliveries behind; they go out with the sink's own text.
            let rule = self.rules[name: pending.rule] ?? Rule(name: pending.rule, sinks: [self.sink.name])
            return Delivery(
                id: pending.id,
                event: event,
                rule: rule,
                sink: self.sink.name,
                attempt: pending.attempts + 1
            )
        }
    }

    /// Waits for deliveries that may go now; nil when there is no more to do.
    private func next() async -> [PendingDelivery]? {
        while true {
            let now = self.clock.now()
            let (claimed, isOver): ([PendingDelivery], Bool) = self.state.withLock { state in
                guard state.phase != .stopped else { return ([], true) }
                let claimed = state.window.claim(now: now)
                state.inFlight += claimed.count
                if state.isBehind && state.window.readyLanes < Dispatcher.readLimit / 4 { self.feeder.ring() }
                return (claimed, claimed.isEmpty && self.isDone(state))
            }
            if !claimed.isEmpty { return claimed }
            if isOver {
                self.endIfDone()
                return nil
            }
            await withCheckedContinuation { continuation in
                let mayGo = self.state.withLock { state in
                    if state.phase == .stopped || self.isDone(state) || state.window.readyLanes > 0 { return true }
                    state.idle.append(continuation)
                    return false
                }
                if mayGo { continuation.resume() }
            }
        }
    }

    private func giveBack(_ claimed: [PendingDelivery], _ outcomes: [(id: Delivery.ID, outcome: Outcome)]) {
        let now = self.clock.now()
        let awake = self.state.withLock { state in
            state.inFlight -= claimed.count
            for (id, outcome) in outcomes where outcome != .released { state.unsettled.insert(id) }
            state.window.settle(outcomes, now: now)
            if state.window.nextDue != nil { self.alarm.ring() }
            return self.awaken(&state)
        }
        for continuation in awake { continuation.resume() }
        self.endIfDone()
    }

    private func recorded(_ settlements: [Settlement]) {
        self.state.withLock { state in
            for settlement in settlements {
                state.unsettled.remove(settlement.id)
                if state.isReading { state.settledDuringRead.insert(settlement.id) }
            }
        }
    }
}
