import BellhopCore

/// How far a source has read, and where its next sweep begins.
struct TrieveSweep {
    private(set) var newest: Timestamp
    let overlap: Duration

    /// Rows show up after others that are younger, so each sweep begins earlier than the last one ended.
    var start: Timestamp { self.newest - self.overlap }

    var checkpoint: Checkpoint {
        Checkpoint(position: self.newest.formatted(.nanoseconds), horizon: self.newest - self.overlap)
    }

    /// Everything up to then was asked for; what shows up late is within the overlap.
    mutating func settled(upTo time: Timestamp) { self.newest = max(self.newest, time - self.overlap) }

    mutating func saw(_ events: [Event]) {
        if let newest = events.map(\.time).max() { self.newest = max(self.newest, newest) }
    }
}
