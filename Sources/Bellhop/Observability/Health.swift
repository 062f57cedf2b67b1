import BellhopCore

/// Whether a running bellhop does its work, and what hinders it.
package struct Health: Sendable, Hashable {
    /// It takes events. What others are to blame for, a vendor's API or a receiver that is down, does not change that:
    /// nothing is lost by it, and nobody could do it better.
    package let isReady: Bool
    /// A sentence each, worst first; of a healthy one none.
    package let reasons: [String]

    /// - `sources`: the names of those that are configured.
    package init(_ counts: Tally.Counts, sources: [String], isStopping: Bool) {
        let unread = sources.filter { name in
            counts.sources[name].map { $0.lastRead == nil && $0.problem == nil } ?? true
        }
        var hindrances: [String] = []
        if isStopping { hindrances.append("it is being shut down") }
        if let problem = counts.spoolProblem { hindrances.append("the spool takes nothing: \(problem)") }
        if !unread.isEmpty { hindrances.append("not read yet: \(unread.joined(separator: ", "))") }
        self.isReady = hindrances.isEmpty
        let problems = sources.compactMap { name in
            counts.sources[name]?.problem.map { "source \(name) cannot be read: \($0)" }
        }
        let suspended = counts.sinks.sorted { $0.key < $1.key }.compactMap { name, sink in
            sink.problem.map { "sink \(name) is \(sink.isDisabled ? "disabled" : "suspended"): \($0)" }
        }
        self.reasons = hindrances + problems + suspended
    }

    /// `{"status":"degraded","reasons":["sink ops is suspended: …"]}`
    ///
    /// - `withReasons`: false for whoever may not know them.
    package func json(withReasons: Bool) -> String {
        let status = self.isReady ? (self.reasons.isEmpty ? "ready" : "degraded") : "not ready"
        let reasons = withReasons ? JSONText.array(self.reasons.map { JSONText.string($0) }) : nil
        return JSONText.object([("status", JSONText.string(status)), ("reasons", reasons)])
    }
}
