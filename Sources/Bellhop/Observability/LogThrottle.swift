import BellhopCore

/// Tells now and then of what others may make happen as often as they like.
struct LogThrottle: Sendable {
    private static let interval: Duration = .seconds(60)

    private var told = Timestamp.distantPast
    private var untold = 0

    /// - Returns: how often it happened since it was told last; nil where it is not to be told now.
    mutating func note(_ count: Int = 1, now: Timestamp) -> Int? {
        self.untold += count
        guard now - self.told >= LogThrottle.interval || now < self.told else { return nil }
        defer { (self.told, self.untold) = (now, 0) }
        return self.untold
    }
}
