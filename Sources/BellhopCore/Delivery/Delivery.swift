/// One event owed to one sink by one rule.
package struct Delivery: Sendable {
    /// The spool's number for it; grows in the order deliveries must leave.
    package typealias ID = Int64

    package let id: ID
    package let event: Event
    /// The rule that matched; its ``Rule/message`` says what to send.
    package let rule: Rule
    package let sink: String
    /// Which try this is, from 1.
    package let attempt: Int

    package init(id: ID, event: Event, rule: Rule, sink: String, attempt: Int) {
        self.id = id
        self.event = event
        self.rule = rule
        self.sink = sink
        self.attempt = attempt
    }
}

/// Why an attempt failed. The sink says what happened; what becomes of the delivery is decided by ``RetryPolicy``.
package enum DeliveryError: Error, Sendable, Hashable {
    /// The receiver answered that it cannot now (503); `after` is what it asked for.
    case transient(reason: String, after: Duration? = nil)
    /// Nothing was sent: no such name, no connection, no trust, a full disk.
    case unreachable(reason: String)
    /// It was sent, in whole or in part, and no whole answer came: the receiver may have acted on it.
    case unanswered(reason: String)
    /// The receiver wants less of everything (429): its host is paused, and the attempt does not count.
    case throttled(reason: String, after: Duration? = nil)
    /// The receiver refused it for good.
    case permanent(reason: String)
    /// It cannot be sent at all, and the receiver was not asked.
    case unsendable(reason: String)
    /// The destination is gone for good (410): nothing more is sent to this sink until somebody has looked at it.
    case gone(reason: String)
    /// The attempt was cut off by a shutdown; it does not count.
    case cancelled

    package var reason: String {
        switch self {
        case .transient(let reason, _), .unreachable(let reason), .unanswered(let reason), .throttled(let reason, _),
            .permanent(let reason), .unsendable(let reason), .gone(let reason):
            reason
        case .cancelled: "cancelled by shutdown"
        }
    }

    /// What the receiver asked for (`Retry-After`).
    package var retryAfter: Duration? {
        switch self {
        case .transient(_, let after), .throttled(_, let after): after
        case .unreachable, .unanswered, .permanent, .unsendable, .gone, .cancelled: nil
        }
    }
}

/// What one attempt came to: the receiver's answer in a few words (`HTTP 200`), or an error.
package typealias Verdict = Result<String, DeliveryError>

/// What becomes of a delivery after an attempt.
package enum Outcome: Sendable, Hashable {
    case delivered(answer: String)
    case retry(at: Timestamp, reason: String)
    /// Pending until then, as if it had not been tried.
    case postponed(until: Timestamp, reason: String)
    /// Kept for a person to decide: the receiver may have it already.
    case held(reason: String)
    case dead(reason: String)
    /// Pending again as if it had not been tried.
    case released
}

/// What becomes of a delivery that left and was not answered.
package enum UnknownPolicy: String, Sendable, CaseIterable {
    /// It is sent again, with the same webhook-id.
    case retry
    /// It waits for a person: for receivers where twice is worse than not at all.
    case hold
}
