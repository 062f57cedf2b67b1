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

/// Why an attempt failed, and so what becomes of the delivery.
package enum DeliveryError: Error, Sendable, Hashable {
    /// Worth another attempt; `after` is what the receiver asked for.
    case transient(reason: String, after: Duration? = nil)
    /// No attempt will succeed.
    case permanent(reason: String)
    /// The attempt was cut off by a shutdown; it does not count.
    case cancelled

    package var reason: String {
        switch self {
        case .transient(let reason, _), .permanent(let reason): reason
        case .cancelled: "cancelled by shutdown"
        }
    }
}

/// What one attempt came to: the receiver's answer in a few words (`HTTP 200`), or an error.
package typealias Verdict = Result<String, DeliveryError>

/// What becomes of a delivery after an attempt.
package enum Outcome: Sendable, Hashable {
    case delivered(answer: String)
    case retry(at: Timestamp, reason: String)
    case dead(reason: String)
    /// Pending again as if it had not been tried.
    case released
}
