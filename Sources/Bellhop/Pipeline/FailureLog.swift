import BellhopCore
import Logging
import Synchronization

/// Says what goes wrong at one sink without flooding: a reason is told once, then counted, and its end is told too.
final class FailureLog: Sendable {
    private struct State {
        var reason: String?
        var repeats = 0
        var lastTold = Timestamp.distantPast
    }

    private let logger: Logger
    private let state = Mutex(State())

    init(_ logger: Logger) {
        self.logger = logger
    }

    func note(_ deliveries: [PendingDelivery], _ outcomes: [Outcome], now: Timestamp) {
        for (delivery, outcome) in zip(deliveries, outcomes) {
            switch outcome {
            case .delivered: self.recovered()
            case .released: break
            case .dead(let reason):
                self.logger.error(
                    "a delivery became a dead letter",
                    metadata: [
                        LogKeys.delivery: "\(delivery.id)", LogKeys.rule: "\(delivery.rule)",
                        LogKeys.reason: "\(reason)",
                    ]
                )
            case .retry(let time, let reason):
                guard self.isNews(reason, now: now) else { continue }
                self.logger.warning(
                    "a delivery failed and will be tried again",
                    metadata: [
                        LogKeys.delivery: "\(delivery.id)", LogKeys.attempt: "\(delivery.attempts + 1)",
                        LogKeys.retryIn: "\(Quantity.approximate(time - now))", LogKeys.reason: "\(reason)",
                    ]
                )
            }
        }
    }

    private func isNews(_ reason: String, now: Timestamp) -> Bool {
        self.state.withLock { state in
            let isNews = state.reason != reason || now - state.lastTold > .seconds(300)
            state.repeats += 1
            if isNews {
                state.reason = reason
                state.lastTold = now
            }
            return isNews
        }
    }

    private func recovered() {
        let repeats = self.state.withLock { state in
            defer { state = State() }
            return state.reason == nil ? 0 : state.repeats
        }
        guard repeats > 0 else { return }
        self.logger.info("deliveries succeed again", metadata: [LogKeys.count: "\(repeats)"])
    }
}
