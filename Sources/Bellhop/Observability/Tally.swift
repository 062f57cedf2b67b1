import BellhopCore
import Metrics
import Synchronization

/// Counts what happens in one run: for the progress line, the summary and the metrics.
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
        package var sources: [String: SourceCounts] = [:]
        package var sinks: [String: SinkCounts] = [:]
    }

    package struct SourceCounts: Sendable {
        package var newest: Timestamp?
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

    private struct AttemptCounter: Hashable {
        enum Outcome: String {
            case delivered
            case deadLetter = "dead_letter"
            case held, retry, postponed
        }

        let sink: String
        let outcome: Outcome
    }

    private let counts = Mutex(Counts())
    private let counters = Mutex<[AttemptCounter: Counter]>([:])

    package init() {}

    package var current: Counts { self.counts.withLock { $0 } }

    func appended(source: String, receipt: Receipt, rejected: Int, owed: Int, newest: Timestamp?) {
        self.counts.withLock { counts in
            counts.events += receipt.new
            counts.known += receipt.known
            counts.rejected += rejected
            counts.owed += owed
            let state = counts.sources[source]?.newest
            counts.sources[source, default: .init()].newest = [state, newest].compactMap { $0 }.max()
        }
        if receipt.new > 0 {
            Counter(label: "bellhop_source_events_received_total", dimensions: [("source", source)]).increment(
                by: receipt.new
            )
        }
    }

    func matched(_ rules: [String: Int]) {
        for (rule, count) in rules {
            Counter(label: "bellhop_rule_matches_total", dimensions: [("rule", rule)]).increment(by: count)
        }
    }

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
        for (outcome, count) in [
            (.delivered, delta.delivered), (.deadLetter, delta.deadLetters), (.held, delta.held),
            (.retry, delta.retries), (.postponed, delta.postponed),
        ] as [(AttemptCounter.Outcome, Int)]
        where count > 0 {
            self.counter(of: AttemptCounter(sink: sink, outcome: outcome)).increment(by: count)
        }
    }

    /// Made once: making one asks the metrics system.
    private func counter(of attempts: AttemptCounter) -> Counter {
        self.counters.withLock { counters in
            if let counter = counters[attempts] { return counter }
            let dimensions = [("sink", attempts.sink), ("outcome", attempts.outcome.rawValue)]
            let counter = Counter(label: "bellhop_sink_attempts_total", dimensions: dimensions)
            counters[attempts] = counter
            return counter
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
        let isOpen = if case .closed = change { false } else { true }
        Gauge(label: "bellhop_sink_suspended", dimensions: [("sink", sink)]).record(isOpen ? 1 : 0)
    }

    package func source(_ name: String, _ change: (inout SourceCounts) -> Void) {
        self.counts.withLock { change(&$0.sources[name, default: .init()]) }
    }
}
