import BellhopCore

/// Keeps every event until each of its deliveries is settled, and remembers what became of them. An open spool is a
/// migrated spool, and each method is one transaction.
package protocol Spool: Sendable {
    func checkpoint(of source: String) async throws -> Checkpoint?

    /// Takes a batch with the deliveries it owes and its checkpoint, all or nothing. Events that are known are skipped.
    /// - `routes`: for each event of the batch, what is owed for it.
    func append(_ batch: Batch, routes: [[Route]], now: Timestamp) async throws -> Appended

    /// Pending deliveries of a sink in order, from behind `cursor`; events come with them up to about `byteLimit`.
    func pending(sink: String, after cursor: Delivery.ID, limit: Int, byteLimit: Int) async throws -> [PendingDelivery]

    /// The first pending deliveries of some lanes of a sink, up to and with `cursor`, in order and without their events.
    /// - Returns: for each lane what there is of it, at most `limit`.
    func pending(
        sink: String,
        lanes: [SpoolLane],
        upTo cursor: Delivery.ID,
        limit: Int
    ) async throws
        -> [[PendingDelivery]]

    /// The events of deliveries that were claimed without them.
    func events(of deliveries: [Delivery.ID]) async throws -> [Delivery.ID: Event]

    /// Records what became of attempts.
    /// - Returns: deliveries that somebody has discarded meanwhile, and that therefore are not tried again.
    @discardableResult
    func settle(_ settlements: [Settlement], now: Timestamp) async throws -> Set<Delivery.ID>

    /// Forgets settled events accepted before the retention's times, in steps: each looks at `limit` events behind
    /// the number `after`, from 0.
    func prune(_ retention: Retention, now: Timestamp, after: Int64, limit: Int) async throws -> Pruned

    /// Takes nothing, but fails as taking events would at the moment.
    func tryOut() async throws

    /// Grows when another process has changed the spool, as `bellhop dead-letters retry` does.
    func foreignChanges() async throws -> Int

    /// Sinks that pending deliveries are for, and how many, but for those that are `known`.
    func pendingSinks(but known: Set<String>) async throws -> [String: Int]

    func close() async throws
}

extension Spool {
    package func pendingSinks() async throws -> [String: Int] { try await self.pendingSinks(but: []) }
}

/// What one step of pruning came to.
package struct Pruned: Sendable, Hashable {
    package let forgotten: Int
    /// Where the next step goes on; nil when there is nothing old behind.
    package let next: Int64?
}

/// One delivery that an event owes.
package struct Route: Sendable, Hashable {
    package let rule: String
    package let sink: String

    package init(rule: String, sink: String) {
        self.rule = rule
        self.sink = sink
    }
}

/// Deliveries that leave in order.
package enum SpoolLane: Sendable, Hashable {
    /// Those with one ``PendingDelivery/lane``.
    case task(Int64)
    /// One by itself.
    case single(Delivery.ID)
}

/// What became of a batch in the spool.
package struct Appended: Sendable {
    package let receipt: Receipt
    package let rejected: Int
    /// By sink, in order.
    package let deliveries: [String: [PendingDelivery]]
}

/// A delivery that waits, as light as possible: thousands of them are in memory.
package struct PendingDelivery: Sendable {
    package let id: Delivery.ID
    package let rule: String
    /// Stands for the event's source and task; deliveries with the same one leave in order. Nil for none.
    package let lane: Int64?
    /// Attempts so far.
    package var attempts: Int
    package var due: Timestamp
    package let accepted: Timestamp
    /// Nil where it was left on disk.
    package var event: Event?

    package init(
        id: Delivery.ID,
        rule: String,
        lane: Int64?,
        attempts: Int = 0,
        due: Timestamp = .distantPast,
        accepted: Timestamp,
        event: Event?
    ) {
        self.id = id
        self.rule = rule
        self.lane = lane
        self.attempts = attempts
        self.due = due
        self.accepted = accepted
        self.event = event
    }

    /// Bytes of its event, where it is in memory.
    var size: Int { (self.event?.data.count ?? 0) + (self.event?.normalized?.count ?? 0) }
}

/// What became of one attempt.
package struct Settlement: Sendable, Hashable {
    package let id: Delivery.ID
    /// The attempt's number, from 1.
    package let attempt: Int
    package let outcome: Outcome
    package let at: Timestamp

    package init(id: Delivery.ID, attempt: Int, outcome: Outcome, at: Timestamp) {
        self.id = id
        self.attempt = attempt
        self.outcome = outcome
        self.at = at
    }
}

/// `spool: {keep: 7d, keep_dead_letters: 30d, max_size: 10GB}`
package struct Retention: Sendable, Hashable {
    /// How long events are kept after they were accepted and all their deliveries settled.
    package let keep: Duration
    /// How long an event with a dead letter is kept for somebody to look at it.
    package let keepDeadLetters: Duration
    /// The spool takes no more events beyond this many bytes.
    package let maxSize: Int64

    package static let `default` = Retention(
        keep: .seconds(7 * 86_400),
        keepDeadLetters: .seconds(30 * 86_400),
        maxSize: 10_000_000_000
    )

    package init(keep: Duration, keepDeadLetters: Duration, maxSize: Int64) {
        self.keep = keep
        self.keepDeadLetters = keepDeadLetters
        self.maxSize = maxSize
    }

    package init(_ options: OptionReader) {
        let standard = Retention.default
        self.keep = options.duration("keep", default: standard.keep, in: .zero...(.seconds(3650 * 86_400)))
        self.keepDeadLetters = options.duration(
            "keep_dead_letters",
            default: standard.keepDeadLetters,
            in: .zero...(.seconds(3650 * 86_400))
        )
        self.maxSize = options.size("max_size", default: standard.maxSize, in: 1_000_000...100_000_000_000_000)
        options.finish()
    }
}

package enum SpoolError: Error, Sendable, CustomStringConvertible {
    case inUse(folder: String, owner: String)
    case missing(path: String)
    case notWritable(path: String, reason: String)
    case full(path: String)
    case damaged(path: String, reason: String)
    case newer(path: String)
    case failed(path: String, reason: String)

    package var description: String {
        switch self {
        case .inUse(let folder, let owner):
            "the data folder \(folder) is in use by another bellhop (\(owner)); stop that one, or set another 'data_dir'"
        case .missing(let path):
            "there is no spool at \(path); 'bellhop run' makes it, or set 'data_dir' to where it is"
        case .notWritable(let path, let reason):
            "cannot write \(path) (\(reason)); make the folder writable for this user, or set another 'data_dir'"
        case .full(let path):
            "no room for the spool \(path): free disk space or raise 'spool.max_size'; "
                + "sources wait and lose nothing meanwhile"
        case .damaged(let path, let reason):
            "the spool \(path) is damaged (\(reason)); move it away and start again, or restore a copy: sources go back "
                + "'start_from', and receivers know repeats by their webhook-id"
        case .newer(let path):
            "the spool \(path) was written by a newer bellhop; run that version, or set another 'data_dir'"
        case .failed(let path, let reason):
            "the spool \(path) failed: \(reason)"
        }
    }
}
