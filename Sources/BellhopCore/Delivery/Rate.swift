/// At most so many in a time, like `30/m`; as many may come at once after a quiet time.
package struct Rate: Sendable, Hashable, CustomStringConvertible {
    package let count: Int
    package let period: Duration

    package init(_ count: Int, per period: Duration) {
        self.count = count
        self.period = period
    }

    /// `1/s`, `30/m`, `1000/h`, also `5/10s`; nil for anything else.
    package init?(_ text: String) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 2, let count = Int(parts[0]), (1...1_000_000).contains(count) else { return nil }
        let hasNumber = parts[1].first?.isNumber == true
        guard let period = Quantity.duration(hasNumber ? parts[1] : "1" + parts[1]), period >= .milliseconds(100),
            period <= .seconds(86_400)
        else { return nil }
        self.init(count, per: period)
    }

    package var description: String {
        let period = Quantity.format(self.period)
        return "\(self.count)/\(period.first == "1" && period.count == 2 ? String(period.dropFirst()) : period)"
    }

    /// Time between two, on average.
    package var interval: Duration { self.period / self.count }
}

/// Keeps a ``Rate``: the generic cell rate algorithm (ITU-T I.371), which is a token bucket in one number.
package struct RateLimiter: Sendable {
    package let rate: Rate
    /// When the next would be expected if all came evenly.
    private var expected = Timestamp.distantPast

    package init(_ rate: Rate) {
        self.rate = rate
    }

    /// Nil when one may go now; otherwise when.
    package func next(now: Timestamp) -> Timestamp? {
        let earliest = self.expected - (self.rate.period - self.rate.interval)
        // Beyond a period ahead only where the clock went back.
        return earliest <= now || earliest - now > self.rate.period ? nil : earliest
    }

    package mutating func take(now: Timestamp) {
        let isBeyond = self.expected - now > self.rate.period + self.rate.period
        self.expected = max(now, isBeyond ? now : self.expected) + self.rate.interval
    }
}
