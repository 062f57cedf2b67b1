import BellhopCore
import Synchronization

/// Counts what happens in one run: for the progress line, the summary, `/ready` and `/metrics`.
package final class Tally: Sendable {
    package struct Counts: Sendable {
        /// Events that were new.
        package var events = 0
        /// Events that had been read before: overlap, restarts, duplicates of the source's own.
        package var known = 0
        package var rejected = 0
        /// Deliveries that rules asked for.
        package var owed = 0
        package var delivered = 0
        package var deadLetters = 0
        /// Deliveries that wait for a person, because nobody knows whether they arrived.
        package var held = 0
        /// Attempts that will be followed by another.
        package var retries = 0
        /// Events that each rule matched.
        package var rules: [String: Int] = [:]
        /// Why the spool takes nothing at the moment.
        package var spoolProblem: String?
        package var sources: [String: SourceCounts] = [:]
        package var sinks: [String: SinkCounts] = [:]
    }

    package struct SourceCounts: Sendable {
        package var events = 0
        package var known = 0
        package var rejected = 0
        /// The latest time of an event.
        package var newest: Timestamp?
        /// When it was last read without trouble.
        package var lastRead: Timestamp?
        package var isCaughtUp = false
        /// Why it cannot be read at the moment.
        package var problem: String?
        package var possibleLosses: [String] = []
    }

    package struct SinkCounts: Sendable {
        package var delivered = 0
        package var deadLetters = 0
        package var held = 0
        package var retries = 0
        /// Attempts that the receiver refused for now (429).
        package var postponed = 0
        /// Why attempts are suspended at the moment.
        package var problem: String?
        /// Nothing is sent until somebody has looked at it.
        package var isDisabled = false
    }

    private let counts = Mutex(Counts())

    package init() {}

    package var current: Counts { self.counts.withLock { $0 } }

    func appended(_ batch: Batch, _ appended: Appended, matched: [String: Int], now: Timestamp) {
        let newest = batch.events.last?.time
        self.counts.withLock { counts in
            // A batch with nothing in it passes where events do not.
            if appended.receipt.new + appended.rejected > 0 { counts.spoolProblem = nil }
            counts.events += appended.receipt.new
            counts.known += appended.receipt.known
            counts.rejected += appended.rejected
            counts.owed += appended.deliveries.values.reduce(0) { $0 + $1.count }
            counts.sources[batch.source, default: .init()].add(appended, newest: newest, now: now)
            // A batch that is read again says nothing new.
            guard appended.receipt.new > 0 else { return }
            for (rule, count) in matched { counts.rules[rule, default: 0] += count }
        }
    }

    /// Why the spool takes nothing; nil when it does again.
    func spool(_ problem: String?) { self.counts.withLock { $0.spoolProblem = problem } }

    func settled(sink: String, _ outcomes: some Sequence<Outcome>) {
        var delta = SinkCounts()
        for outcome in outcomes {
            switch outcome {
            case .delivered: delta.delivered += 1
            case .dead: delta.deadLetters += 1
            case .held: delta.held += 1
            case .retry: delta.retries += 1
            case .postponed: delta.postponed += 1
            case .released: break
            }
        }
        self.counts.withLock { counts in
            counts.delivered += delta.delivered
            counts.deadLetters += delta.deadLetters
            counts.held += delta.held
            counts.retries += delta.retries
            var sinkCounts = counts.sinks[sink] ?? .init()
            sinkCounts.delivered += delta.delivered
            sinkCounts.deadLetters += delta.deadLetters
            sinkCounts.held += delta.held
            sinkCounts.retries += delta.retries
            sinkCounts.postponed += delta.postponed
            counts.sinks[sink] = sinkCounts
        }
    }

    /// A sink's attempts were suspended, or go on.
    func changed(sink: String, _ change: CircuitBreaker.Change) {
        self.counts.withLock { counts in
            var sinkCounts = counts.sinks[sink] ?? .init()
            switch change {
            case .opened(let reason): sinkCounts.problem = reason
            case .closed: sinkCounts.problem = nil
            case .disabled(let reason): (sinkCounts.problem, sinkCounts.isDisabled) = (reason, true)
            }
            counts.sinks[sink] = sinkCounts
        }
    }

    package func source(_ name: String, _ change: (inout SourceCounts) -> Void) {
        self.counts.withLock { change(&$0.sources[name, default: .init()]) }
    }
}

extension Tally.SourceCounts {
    fileprivate mutating func add(_ appended: Appended, newest: Timestamp?, now: Timestamp) {
        self.events += appended.receipt.new
        self.known += appended.receipt.known
        self.rejected += appended.rejected
        self.newest = [self.newest, newest].compactMap { $0 }.max()
        self.lastRead = now
    }
}
