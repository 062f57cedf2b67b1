import BellhopCore
import Dispatch
import Logging
import Synchronization

/// Says what goes wrong at one sink without flooding: a reason is told once, then counted, and its end is told too.
final class FailureLog: Sendable {
    /// How often the same reason is told, with how many there were since.
    private static let interval: Duration = .seconds(300)
    /// Different reasons that are remembered; a receiver may answer with another text each time.
    private static let capacity = 32

    private enum Kind: Hashable { case retry, dead, held, unreadable }

    private struct Reason: Hashable {
        let kind: Kind
        let text: String
    }

    private struct State {
        var told: [Reason: (at: Timestamp, untold: Int)] = [:]
        /// Attempts that failed since a recovery was told.
        var failures = 0
        /// Somebody was told of one of them, and wants to know of their end.
        var isTold = false
    }

    private let logger: Logger
    /// A log that nobody reads may block who writes it; attempts must not wait for that. What is told is little.
    private let queue = DispatchQueue(label: "bellhop-failure-log")
    private let state = Mutex(State())

    init(_ logger: Logger) {
        self.logger = logger
    }

    func note(_ deliveries: [PendingDelivery], _ outcomes: [Outcome], now: Timestamp) {
        for (delivery, outcome) in zip(deliveries, outcomes) {
            switch outcome {
            case .delivered: self.recovered()
            case .released, .postponed: break
            case .dead(let reason):
                guard let repeats = self.isNews(.dead, reason, now: now) else { continue }
                self.say(.error, "a delivery became a dead letter", self.metadata(delivery, reason, repeats))
            case .held(let reason):
                guard let repeats = self.isNews(.held, reason, now: now) else { continue }
                self.say(
                    .error,
                    "a delivery may have arrived or not; it is held for you (bellhop deliveries list --state held)",
                    self.metadata(delivery, reason, repeats)
                )
            case .retry(let time, let reason):
                guard let repeats = self.isNews(.retry, reason, now: now) else { continue }
                var metadata = self.metadata(delivery, reason, repeats)
                metadata[LogKeys.attempt] = "\(delivery.attempts + 1)"
                metadata[LogKeys.retryIn] = "\(Quantity.approximate(time - now))"
                self.say(.warning, "a delivery failed and will be tried again", metadata)
            }
        }
    }

    func note(_ change: CircuitBreaker.Change) {
        switch change {
        case .opened(let reason):
            self.say(
                .warning,
                "attempts are suspended but for a probe now and then: the receiver fails",
                [LogKeys.reason: "\(reason)"]
            )
        case .closed: self.say(.info, "the receiver is back, attempts go on", [:])
        case .disabled(let reason):
            self.say(
                .error,
                "the receiver says that it is gone for good; nothing more is sent until SIGHUP or a restart, and all is kept",
                [LogKeys.reason: "\(reason)"]
            )
        }
    }

    func paused(for pause: Duration, reason: String) {
        self.say(
            .info,
            "the receiver asks for a pause, which holds for all that goes to its host",
            [LogKeys.retryIn: "\(Quantity.approximate(pause))", LogKeys.reason: "\(reason)"]
        )
    }

    /// The spool does not give out an event.
    func unreadable(_ reason: String, now: Timestamp) {
        guard self.isNews(.unreadable, reason, now: now) != nil else { return }
        self.say(.error, "deliveries cannot be read from the spool", [LogKeys.reason: "\(reason)"])
    }

    /// Returns once everything is told.
    func flush() async {
        await withCheckedContinuation { continuation in self.queue.async { continuation.resume() } }
    }

    private func say(_ level: Logger.Level, _ message: Logger.Message, _ metadata: Logger.Metadata) {
        self.queue.async { self.logger.log(level: level, message, metadata: metadata) }
    }

    private func metadata(_ delivery: PendingDelivery, _ reason: String, _ repeats: Int) -> Logger.Metadata {
        var metadata: Logger.Metadata = [
            LogKeys.delivery: "\(delivery.id)", LogKeys.rule: "\(delivery.rule)", LogKeys.reason: "\(reason)",
        ]
        if repeats > 0 { metadata[LogKeys.count] = "\(repeats + 1)" }
        return metadata
    }

    /// - Returns: how often it happened untold since it was told last; nil where it is not to be told now.
    private func isNews(_ kind: Kind, _ text: String, now: Timestamp) -> Int? {
        // Ages and counts at the start of a reason make no news of it.
        let text = text.hasPrefix("given up after ") ? text.split(separator: ":").dropFirst().joined() : text
        let reason = Reason(kind: kind, text: text)
        return self.state.withLock { state in
            if kind == .retry { state.failures += 1 }
            if let last = state.told[reason], now - last.at < FailureLog.interval, now >= last.at {
                state.told[reason]?.untold += 1
                return nil
            }
            let untold = state.told[reason]?.untold ?? 0
            if state.told.count >= FailureLog.capacity { state.told.removeAll() }
            state.told[reason] = (now, 0)
            if kind == .retry { state.isTold = true }
            return untold
        }
    }

    private func recovered() {
        let failures = self.state.withLock { state in
            guard state.isTold else { return 0 }
            defer { (state.isTold, state.failures) = (false, 0) }
            return state.failures
        }
        guard failures > 0 else { return }
        self.say(.info, "deliveries succeed again", [LogKeys.count: "\(failures)"])
    }
}
