/// Something that happened, as its source told it. Immutable; its id is unique within its source.
package struct Event: Sendable {
    /// The name of the source's instance in the configuration.
    package let source: String
    package let id: String
    /// Which of several kinds of things its source gives out it is; nil where there is one kind.
    package let kind: String?
    package let time: Timestamp
    /// What joins the events of one alert (`task.id`); nil when the event belongs to none.
    package let task: String?
    /// The event's JSON exactly as it came.
    package let data: Bytes
    /// The JSON that rules and messages read, where it differs from ``data``: an old published shape brought to the
    /// current one.
    package let normalized: Bytes?

    package init(
        source: String,
        id: String,
        kind: String? = nil,
        time: Timestamp,
        task: String? = nil,
        data: Bytes,
        normalized: Bytes? = nil
    ) {
        self.source = source
        self.id = id
        self.kind = kind
        self.time = time
        self.task = task
        self.data = data
        self.normalized = normalized
    }

    /// The event with buffers of its own, so that it does not keep a whole page in memory.
    package var detached: Event {
        Event(
            source: self.source,
            id: self.id,
            kind: self.kind,
            time: self.time,
            task: self.task,
            data: self.data.copy(),
            normalized: self.normalized?.copy()
        )
    }

    package var fields: Bytes { self.normalized ?? self.data }
}

/// Something a source sent in an event's place that is none: kept, listed, and never in the way of the others.
package struct RejectedEvent: Sendable, Hashable {
    package let data: Bytes
    /// One sentence: what is wrong with it.
    package let reason: String

    package init(data: Bytes, reason: String) {
        self.data = data
        // Reasons quote what they are about, and go into logs and answers.
        self.reason = reason.utf8.count > 500 ? String(reason.prefix(400)) + " …" : reason
    }
}

/// Where a source left off: what it needs to go on, and how far back it may meet again what it has read.
package struct Checkpoint: Sendable, Hashable {
    /// The source's own state, as text only it reads.
    package let position: String
    /// Events of this time and later may be read again, so their ids must be remembered.
    package let horizon: Timestamp

    package init(position: String, horizon: Timestamp) {
        self.position = position
        self.horizon = horizon
    }
}

/// Events read together, in the order they happened, and the checkpoint that is true once they are on disk.
package struct Batch: Sendable {
    package let source: String
    package let events: [Event]
    package let rejected: [RejectedEvent]
    package let checkpoint: Checkpoint?

    package init(source: String, events: [Event], rejected: [RejectedEvent] = [], checkpoint: Checkpoint?) {
        self.source = source
        self.events = events
        self.rejected = rejected
        self.checkpoint = checkpoint
    }
}
