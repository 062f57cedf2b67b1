/// When a delivery that failed is tried again, and when it is given up: exponential back-off with full jitter (AWS
/// Architecture Blog, "Exponential Backoff And Jitter").
package struct RetryPolicy: Sendable, Hashable {
    package let base: Duration
    package let cap: Duration
    /// Counted from the moment the event was accepted.
    package let giveUpAfter: Duration
    package let onUnknown: UnknownPolicy

    /// However long a receiver asks to be left alone, it is asked again after this (libcurl has the same limit).
    package static let longestRetryAfter: Duration = .seconds(6 * 3600)

    package static let `default` = RetryPolicy(base: .seconds(1), cap: .seconds(600), giveUpAfter: .seconds(86_400))

    package init(base: Duration, cap: Duration, giveUpAfter: Duration, onUnknown: UnknownPolicy = .retry) {
        self.base = base
        self.cap = cap
        self.giveUpAfter = giveUpAfter
        self.onUnknown = onUnknown
    }

    /// `retry: {base: 1s, cap: 10m, give_up_after: 24h}`
    package init(_ options: OptionReader, onUnknown: UnknownPolicy) {
        let standard = RetryPolicy.default
        let base = options.duration("base", default: standard.base, in: .milliseconds(10)...(.seconds(3600)))
        // A base above the standard cap without a cap of its own means waits of that length.
        let cap = options.duration(
            "cap",
            default: max(standard.cap, base),
            in: .milliseconds(10)...(.seconds(86_400))
        )
        if cap < base {
            options.diagnostics.error(
                "'cap' is at least 'base' (\(Quantity.format(base))) (\(options.owner))",
                at: options.place(of: "cap")
            )
        }
        self.init(
            base: base,
            cap: cap,
            giveUpAfter: options.duration(
                "give_up_after",
                default: standard.giveUpAfter,
                in: .zero...(.seconds(365 * 86_400))
            ),
            onUnknown: onUnknown
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
        case .failure(.permanent(let reason)), .failure(.unsendable(let reason)), .failure(.gone(let reason)):
            return .dead(reason: reason)
        case .failure(.unanswered(let reason)) where self.onUnknown == .hold:
            return .held(reason: reason)
        case .failure(let error):
            guard !self.isTooOld(accepted: accepted, now: now) else {
                return .dead(reason: self.givenUp(error.reason, attempts: attempt, accepted: accepted, now: now))
            }
            let jitter = jitter()
            if case .throttled(let reason, let after) = error {
                let wait = self.wait(after ?? self.base, jitter: jitter)
                return .postponed(until: now + wait, reason: reason)
            }
            let delay = self.delay(afterAttempt: attempt, jitter: jitter)
            let wait = error.retryAfter.map { self.wait($0, jitter: jitter) } ?? delay
            return .retry(at: now + wait, reason: error.reason)
        }
    }

    /// No wait is longer than this; more in the spool comes from a clock that has been set back since.
    package var longestWait: Duration { max(self.cap, RetryPolicy.longestRetryAfter) + .seconds(1) }

    package func isTooOld(accepted: Timestamp, now: Timestamp) -> Bool { now - accepted >= self.giveUpAfter }

    /// Why a delivery became a dead letter of old age.
    package func givenUp(_ reason: String, attempts: Int, accepted: Timestamp, now: Timestamp) -> String {
        let age = Quantity.approximate(now - accepted)
        return "given up after \(age) and \(attempts) attempt\(attempts == 1 ? "" : "s"): \(reason)"
    }

    /// What a receiver asks for is a minimum; the jitter on top keeps many waiters from coming back as one.
    private func wait(_ after: Duration, jitter: Double) -> Duration {
        min(after, RetryPolicy.longestRetryAfter)
            + min(.nanoseconds(Int64(self.base.inSeconds * jitter * 1e9)), .seconds(1))
    }
}
