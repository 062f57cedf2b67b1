/// Stops attempts at a sink whose receiver is down, until a single one gets through: a dead receiver costs one attempt
/// now and then, and its deliveries keep their attempts.
///
/// Opens after so many failures in a row. Counted are failures to reach the receiver, and refusals of deliveries that
/// were never tried before: a few deliveries that the receiver can never take are no reason to stop all others.
package struct CircuitBreaker: Sendable {
    package struct Policy: Sendable, Hashable {
        /// In a row; 0 never opens.
        package let failures: Int
        /// The longest time between two probes.
        package let probeEvery: Duration

        package static let `default` = Policy(failures: 10, probeEvery: .seconds(30))

        package init(failures: Int, probeEvery: Duration) {
            self.failures = failures
            self.probeEvery = probeEvery
        }

        /// `circuit_breaker: { failures: 10, probe_every: 30s }`
        package init(_ options: OptionReader) {
            let standard = Policy.default
            self.failures = options.integer("failures", default: standard.failures, in: 0...1000)
            self.probeEvery = options.duration(
                "probe_every",
                default: standard.probeEvery,
                in: .milliseconds(10)...(.seconds(3600))
            )
            options.finish()
        }
    }

    /// Whether an attempt may begin.
    package enum Admission: Sendable, Hashable {
        case yes
        /// One, to see whether the receiver is back.
        case probe
        case notBefore(Timestamp)
        /// A probe is under way, or the sink is disabled: its end tells.
        case no
    }

    /// What somebody should be told.
    package enum Change: Sendable, Hashable {
        case opened(reason: String)
        case closed
        case disabled(reason: String)
    }

    private enum State: Hashable {
        case closed(failures: Int)
        case open(since: Timestamp, until: Timestamp, wait: Duration)
        case probing(Delivery.ID, wait: Duration)
        case disabled
    }

    private static let firstWait: Duration = .seconds(1)

    private let policy: Policy?
    private var state = State.closed(failures: 0)
    /// The last failure while it is open.
    package private(set) var reason: String?

    /// - `policy`: nil never opens.
    package init(_ policy: Policy?) {
        self.policy = policy
    }

    package var isDisabled: Bool { self.state == .disabled }

    package var isOpen: Bool {
        switch self.state {
        case .open, .probing: true
        case .closed, .disabled: false
        }
    }

    package func admission(now: Timestamp) -> Admission {
        switch self.state {
        case .closed: .yes
        // Before `since` only where the clock went back.
        case .open(let since, let until, _): until <= now || now < since ? .probe : .notBefore(until)
        case .probing, .disabled: .no
        }
    }

    /// The delivery that was admitted as a probe.
    package mutating func probe(with delivery: Delivery.ID) {
        if case .open(_, _, let wait) = self.state { self.state = .probing(delivery, wait: wait) }
    }

    /// Learns from an attempt's verdict.
    ///
    /// - `attempt`: its number, from 1.
    /// - `jitter`: a random number from 0 to 1.
    package mutating func note(
        _ verdict: Verdict,
        of delivery: Delivery.ID,
        attempt: Int,
        now: Timestamp,
        jitter: Double
    ) -> Change? {
        switch verdict {
        case .failure(.gone(let reason)):
            defer { self.state = .disabled }
            return self.isDisabled ? nil : .disabled(reason: reason)
        case .success, .failure(.permanent), .failure(.throttled):
            // The receiver is there, whatever it thinks of this delivery.
            return self.close()
        case .failure(.cancelled), .failure(.unsendable):
            // Nobody was asked: another delivery takes its place.
            if case .probing(delivery, let wait) = self.state {
                self.state = .open(since: now, until: now, wait: wait)
            }
            return nil
        case .failure(.transient(let reason, _)):
            return self.fail(reason, of: delivery, counts: attempt == 1, now: now, jitter: jitter)
        case .failure(.unreachable(let reason)), .failure(.unanswered(let reason)):
            return self.fail(reason, of: delivery, counts: true, now: now, jitter: jitter)
        }
    }

    /// Somebody has looked at it (reload): attempts may begin again.
    package mutating func reset() {
        self.state = .closed(failures: 0)
        self.reason = nil
    }

    private mutating func close() -> Change? {
        guard !self.isDisabled else { return nil }
        defer { self.reset() }
        return self.isOpen ? .closed : nil
    }

    private mutating func fail(
        _ reason: String,
        of delivery: Delivery.ID,
        counts: Bool,
        now: Timestamp,
        jitter: Double
    ) -> Change? {
        guard let policy = self.policy, policy.failures > 0 else { return nil }
        switch self.state {
        case .closed(let failures):
            guard counts else { return nil }
            guard failures + 1 >= policy.failures else {
                self.state = .closed(failures: failures + 1)
                return nil
            }
            self.open(wait: min(CircuitBreaker.firstWait, policy.probeEvery), reason, now: now, jitter: jitter)
            return .opened(reason: reason)
        case .probing(delivery, let wait):
            self.open(wait: min(wait + wait, policy.probeEvery), reason, now: now, jitter: jitter)
            return nil
        case .probing, .open, .disabled:
            // It began before the breaker opened.
            return nil
        }
    }

    private mutating func open(wait: Duration, _ reason: String, now: Timestamp, jitter: Double) {
        self.reason = reason
        let seconds = wait.inSeconds * (0.5 + jitter / 2)
        self.state = .open(since: now, until: now + .nanoseconds(Int64(seconds * 1e9)), wait: wait)
    }
}
