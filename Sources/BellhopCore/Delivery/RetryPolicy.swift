/// When a delivery that failed is tried again, and when it is given up: exponential back-off with full jitter (AWS
/// Architecture Blog, "Exponential Backoff And Jitter").
package struct RetryPolicy: Sendable, Hashable {
    package let base: Duration
    package let cap: Duration
    /// Counted from the moment the event was accepted.
    package let giveUpAfter: Duration

    package static let `default` = RetryPolicy(base: .seconds(1), cap: .seconds(600), giveUpAfter: .seconds(86_400))

    package init(base: Duration, cap: Duration, giveUpAfter: Duration) {
        self.base = base
        self.cap = cap
        self.giveUpAfter = giveUpAfter
    }

    /// `retry: {base: 1s, cap: 10m, give_up_after: 24h}`
    package init(_ options: OptionReader) {
        let standard = RetryPolicy.default
        self.base = options.duration("base", default: standard.base, in: .milliseconds(10)...(.seconds(3600)))
        self.cap = options.duration("cap", default: standard.cap, in: .milliseconds(10)...(.seconds(86_400)))
        self.giveUpAfter = options.duration(
            "give_up_after",
            default: standard.giveUpAfter,
            in: .zero...(.seconds(365 * 86_400))
        )
        options.finish()
    }

    /// How long to wait after the attempt of that number, which counts from 1; `jitter` is from 0 to 1.
    package func delay(afterAttempt attempt: Int, jitter: Double) -> Duration {
        let exponent = min(max(attempt - 1, 0), 40)
        let ceiling = min(self.cap.inSeconds, self.base.inSeconds * Double(UInt64(1) << UInt64(exponent)))
        return .nanoseconds(Int64(ceiling * jitter * 1e9))
    }

    /// - `accepted`: when the event was accepted.
    /// - `jitter`: a random number from 0 to 1; asked for only where it is needed.
    package func outcome(
        of verdict: Verdict,
        attempt: Int,
        accepted: Timestamp,
        now: Timestamp,
        jitter: @autoclosure () -> Double
    ) -> Outcome {
        switch verdict {
        case .success(let answer):
            return .delivered(answer: answer)
        case .failure(.cancelled):
            return .released
        case .failure(.permanent(let reason)):
            return .dead(reason: reason)
        case .failure(.transient(let reason, let after)):
            guard now - accepted < self.giveUpAfter else {
                let age = Quantity.approximate(now - accepted)
                return .dead(reason: "given up after \(age) and \(attempt) attempts: \(reason)")
            }
            // What the receiver asks for is a minimum; the jitter on top keeps many waiters from coming back as one.
            let delay = self.delay(afterAttempt: attempt, jitter: jitter())
            let wait = after.map { min($0, .seconds(86_400)) + min(delay, .seconds(1)) } ?? delay
            return .retry(at: now + wait, reason: reason)
        }
    }
}
