/// How long a host wants to be left alone. What it asks for holds for everybody who sends there; where it says 429 and
/// no time, the pauses grow by themselves.
package struct HostPause: Sendable {
    private static let first: Duration = .seconds(1)
    private static let longest: Duration = .seconds(60)

    private var since = Timestamp.distantPast
    private var until = Timestamp.distantPast
    private var wait = HostPause.first
    /// One attempt at a time, until one gets through.
    private var isCareful = false
    private var underWay = 0

    package init() {}

    /// Nil when an attempt may begin now; otherwise when to ask again.
    package func next(now: Timestamp) -> Timestamp? {
        // Before `since` only where the clock went back.
        if self.until > now, now >= self.since { return self.until }
        return self.isCareful && self.underWay > 0 ? now + .milliseconds(20) : nil
    }

    package mutating func begin() { self.underWay += 1 }

    /// - Returns: the length of a pause that began.
    package mutating func end(_ verdict: Verdict, now: Timestamp, jitter: Double) -> Duration? {
        self.underWay = max(0, self.underWay - 1)
        let isThrottled = if case .failure(.throttled) = verdict { true } else { false }
        switch verdict {
        case .failure(let error) where isThrottled || error.retryAfter != nil:
            var wait = self.wait
            if let after = error.retryAfter {
                wait = min(after, RetryPolicy.longestRetryAfter)
            } else if self.until <= now {
                // Answers to what was under way when the pause began do not make the next one longer.
                self.wait = min(self.wait + self.wait, HostPause.longest)
                wait = .nanoseconds(Int64(wait.inSeconds * (0.5 + jitter / 2) * 1e9))
            } else {
                return nil
            }
            self.isCareful = true
            let isNew = self.until <= now
            if now + wait > self.until { (self.since, self.until) = (now, now + wait) }
            return isNew ? wait : nil
        case .success, .failure(.permanent), .failure(.gone):
            // Answers to what was under way when the pause began say nothing about its end.
            guard self.until <= now || now < self.since else { return nil }
            self.isCareful = false
            self.wait = HostPause.first
            return nil
        case .failure: return nil
        }
    }
}
