import BellhopCore
import Logging
import Synchronization

/// Hands one sink its deliveries: in order, as many at once as it wants, again after failures, and from the spool when
/// there are more than memory should hold. What becomes of another sink is none of its business.
final class Dispatcher: Sendable {
    enum Phase { case running, finishing, stopped }

    struct State {
        var window: DeliveryWindow
        var breaker: CircuitBreaker
        /// Everything pending up to here the window knows, be it by name only; what comes behind is in the spool.
        var cursor: Delivery.ID = 0
        /// There may be pending deliveries behind the cursor.
        var isBehind = true
        var isReading = false
        var phase = Phase.running
        var inFlight = 0
        var idle: [CheckedContinuation<Void, Never>] = []
        /// Counts reloads: a read that began before one is out of date.
        var generation = 0
        /// Deliveries whose last outcomes the spool does not know yet, and how many: what it says of them is out of date.
        var unsettled: [Delivery.ID: Int] = [:]
        /// Those that were recorded while a read was under way, which may not have seen it.
        var settledDuringRead: Set<Delivery.ID> = []
        /// Reads of events that failed in a row.
        var unreadable = 0
    }

    /// Event bytes that may wait in memory; beyond, deliveries are read from the spool when their turn comes.
    static let byteLimit = 4 * 1024 * 1024
    static let readLimit = 512
    /// Deliveries that are read at once of a lane that was parked.
    static let laneReadLimit = 32

    let sink: any Sink
    let policy: DispatchPolicy
    let pace: SinkPace
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

    init(
        sink: any Sink,
        rules: RuleSet,
        spool: any Spool,
        settler: Settler,
        paces: HostPaces,
        context: ComponentContext
    ) {
        self.sink = sink
        self.pace = paces.pace(of: sink)
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
        self.state = Mutex(State(window: DeliveryWindow(sink.dispatch), breaker: CircuitBreaker(sink.dispatch.breaker)))
    }

    /// Delivers until ``stop()``, or after ``finish()`` until nothing is pending. Cancellation gives up attempts under way.
    func run() async {
        await withDiscardingTaskGroup { group in
            group.addTask { await self.feed() }
            group.addTask { await self.wakeWhenDue() }
            for _ in 0..<self.policy.concurrency {
                group.addTask(executorPreference: self.sink.executor) { await self.work() }
            }
            self.feeder.ring()
        }
        await self.sink.close()
        await self.failures.flush()
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
            state.window.forgetWaiting(but: Set(state.unsettled.keys), now: self.clock.now())
            state.generation += 1
            state.cursor = 0
            state.isBehind = true
        }
        self.feeder.ring()
    }

    /// Somebody has mended what disabled the sink, or wants to know at once whether it is back.
    func reset() {
        let wasSuspended = self.state.withLock { state in
            defer { state.breaker.reset() }
            state.window.hasten(now: self.clock.now())
            return state.breaker.isOpen || state.breaker.isDisabled
        }
        if wasSuspended { self.tally.changed(sink: self.sink.name, .closed) }
        self.alarm.ring()
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
        while let claim = await self.next() {
            var settlements: [Settlement] = []
            switch claim.purpose {
            case .attempt:
                settlements = await self.attempt(claim.deliveries)
            case .giveUp(let reason):
                settlements = self.giveUp(claim.deliveries, reason)
            }
            await self.settler.submit(settlements) { self.recorded($0, refused: $1) }
        }
    }

    private func attempt(_ claimed: [PendingDelivery]) async -> [Settlement] {
        let verdicts: [Verdict]
        do {
            verdicts = await self.sink.deliver(try await self.deliveries(claimed))
        } catch {
            // The spool could not be read: no attempt was made.
            self.failures.unreadable("\(error)", now: self.clock.now())
            let failures = self.state.withLock { state in
                state.unreadable += 1
                return state.unreadable
            }
            if self.once, failures == 5 { self.shutdown.begin(fault: "\(error)") }
            try? await self.clock.sleep(for: .seconds(1))
            verdicts = claimed.map { _ in .failure(.cancelled) }
        }
        let now = self.clock.now()
        var settlements: [Settlement] = []
        for (pending, verdict) in zip(claimed, verdicts) {
            let outcome = self.policy.retry.outcome(
                of: verdict,
                attempt: pending.attempts + 1,
                accepted: pending.accepted,
                now: now,
                jitter: Double.random(in: 0...1)
            )
            // What was postponed has not been tried.
            var attempt = pending.attempts + 1
            if case .postponed = outcome { attempt -= 1 }
            settlements.append(Settlement(id: pending.id, attempt: attempt, outcome: outcome, at: now))
        }
        self.giveBack(claimed, settlements, verdicts, now: now)
        return settlements.filter { $0.outcome != .released }
    }

    /// Deliveries that are too old, at a sink that is known to be down.
    private func giveUp(_ claimed: [PendingDelivery], _ reason: String) -> [Settlement] {
        let now = self.clock.now()
        let retry = self.policy.retry
        let settlements = claimed.map { pending in
            let reason = retry.givenUp(reason, attempts: pending.attempts, accepted: pending.accepted, now: now)
            return Settlement(id: pending.id, attempt: pending.attempts, outcome: .dead(reason: reason), at: now)
        }
        self.giveBack(claimed, settlements, [], now: now)
        return settlements
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

    /// - `verdicts`: empty where no attempt was made.
    private func giveBack(
        _ claimed: [PendingDelivery],
        _ settlements: [Settlement],
        _ verdicts: [Verdict],
        now: Timestamp
    ) {
        let outcomes = settlements.map { (id: $0.id, outcome: $0.outcome) }
        // A call of the sink is one attempt at its host, whatever it holds.
        let pause = verdicts.last.flatMap { self.pace.end($0, now: now) }
        let (awake, changes) = self.state.withLock { state in
            state.inFlight -= claimed.count
            for (id, outcome) in outcomes where outcome != .released { state.unsettled[id, default: 0] += 1 }
            if outcomes.contains(where: { $0.outcome != .released }) { state.unreadable = 0 }
            let changes = zip(claimed, verdicts)
                .compactMap { delivery, verdict in
                    state.breaker.note(
                        verdict,
                        of: delivery.id,
                        attempt: delivery.attempts + 1,
                        now: now,
                        jitter: Double.random(in: 0...1)
                    )
                }
            state.window.settle(outcomes, now: now)
            if changes.contains(.closed) { state.window.hasten(now: now) }
            let hasToWait = !state.idle.isEmpty && state.window.readyLanes > 0
            if state.window.nextDue != nil || state.window.nextLoad != nil || hasToWait { self.alarm.ring() }
            return (self.awaken(&state), changes)
        }
        self.tally.settled(sink: self.sink.name, outcomes.lazy.map(\.outcome))
        self.failures.note(claimed, outcomes.map(\.outcome), now: now)
        if let pause { self.failures.paused(for: pause, reason: verdicts.last?.failure?.reason ?? "") }
        for change in changes {
            self.failures.note(change)
            self.tally.changed(sink: self.sink.name, change)
        }
        for continuation in awake { continuation.resume() }
        self.endIfDone()
    }

    /// - `refused`: deliveries that somebody has settled meanwhile, and that go no further.
    private func recorded(_ settlements: [Settlement], refused: Set<Delivery.ID>) {
        self.state.withLock { state in
            for settlement in settlements {
                let left = (state.unsettled[settlement.id] ?? 1) - 1
                state.unsettled[settlement.id] = left > 0 ? left : nil
                if state.isReading { state.settledDuringRead.insert(settlement.id) }
            }
        }
        if settlements.contains(where: { refused.contains($0.id) }) { self.reload() }
    }
}

extension Result {
    fileprivate var failure: Failure? {
        if case .failure(let failure) = self { failure } else { nil }
    }
}
