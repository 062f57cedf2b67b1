import BellhopCore

/// What Prometheus scrapes (prometheus.io/docs/instrumenting/exposition_formats, text format 0.0.4).
package struct MetricsText {
    package static let contentType = "text/plain; version=0.0.4; charset=utf-8"

    private var lines: [String] = []

    private init() {}

    /// - `sources`, `sinks`, `rules`: the names of those that are configured: each is there from the start, as zero.
    /// - `status`: of the spool, where it can be read.
    package static func render(
        _ counts: Tally.Counts,
        sources: [String],
        sinks: [String],
        rules: [String],
        status: SpoolStatus?,
        process: ProcessUse,
        version: String
    ) -> String {
        var text = MetricsText()
        text.add("bellhop_build_info", "gauge", "The version, as a label.", [([("version", version)], 1)])
        text.addSources(counts, sources)
        text.add(
            "bellhop_rule_matches_total",
            "counter",
            "Events that a rule matched; of a batch with new ones also those that had been read before.",
            rules.map { ([("rule", $0)], Double(counts.rules[$0] ?? 0)) }
        )
        text.addSinks(counts, sinks)
        text.addSpool(status, sinks, counts)
        text.addProcess(process)
        return text.lines.joined(separator: "\n") + "\n"
    }

    private mutating func addSources(_ counts: Tally.Counts, _ sources: [String]) {
        func series(_ value: (Tally.SourceCounts) -> Double?) -> [([(String, String)], Double)] {
            sources.compactMap { name in
                value(counts.sources[name] ?? .init()).map { ([("source", name)], $0) }
            }
        }
        self.add(
            "bellhop_source_events_total",
            "counter",
            "Events that were new.",
            series { Double($0.events) }
        )
        self.add(
            "bellhop_source_known_events_total",
            "counter",
            "Events that had been read before, and were skipped.",
            series { Double($0.known) }
        )
        self.add(
            "bellhop_source_rejected_total",
            "counter",
            "What a source sent that is no event.",
            series { Double($0.rejected) }
        )
        self.add(
            "bellhop_source_possible_losses_total",
            "counter",
            "Stretches of which a source may not have given out all events.",
            series { Double($0.possibleLosses.count) }
        )
        self.add(
            "bellhop_source_up",
            "gauge",
            "1 while a source can be read.",
            series { $0.problem == nil ? 1 : 0 }
        )
        self.add(
            "bellhop_source_last_read_timestamp_seconds",
            "gauge",
            "When a source was last read without trouble.",
            series { $0.lastRead.map(\.inSeconds) }
        )
        self.add(
            "bellhop_source_newest_event_timestamp_seconds",
            "gauge",
            "The time of a source's newest event.",
            series { $0.newest.map(\.inSeconds) }
        )
    }

    private mutating func addSinks(_ counts: Tally.Counts, _ sinks: [String]) {
        self.add(
            "bellhop_sink_attempts_total",
            "counter",
            "Attempts by what became of them.",
            sinks.flatMap { name in
                let sink = counts.sinks[name] ?? .init()
                return [
                    ("delivered", sink.delivered), ("dead_letter", sink.deadLetters), ("held", sink.held),
                    ("retry", sink.retries), ("postponed", sink.postponed),
                ]
                .map { ([("sink", name), ("outcome", $0.0)], Double($0.1)) }
            }
        )
        self.add(
            "bellhop_sink_up",
            "gauge",
            "1 while attempts are made; 0 while they are suspended or the sink is disabled.",
            sinks.map { ([("sink", $0)], counts.sinks[$0]?.problem == nil ? 1 : 0) }
        )
    }

    private mutating func addSpool(_ status: SpoolStatus?, _ sinks: [String], _ counts: Tally.Counts) {
        self.add(
            "bellhop_spool_up",
            "gauge",
            "1 while the spool takes events.",
            [([], counts.spoolProblem == nil ? 1 : 0)]
        )
        guard let status else { return }
        // Also of sinks that the configuration does not have any more.
        let names = Set(sinks).union(status.sinks.keys).sorted()
        self.add(
            "bellhop_deliveries",
            "gauge",
            "Deliveries in the spool that are not done, by state.",
            names.flatMap { name in
                let backlog = status.sinks[name] ?? .init()
                return [("pending", backlog.pending), ("held", backlog.held), ("dead_letter", backlog.dead)]
                    .map { ([("sink", name), ("state", $0.0)], Double($0.1)) }
            }
        )
        self.add(
            "bellhop_oldest_pending_timestamp_seconds",
            "gauge",
            "When the event of the oldest pending delivery was accepted.",
            names.compactMap { name in status.sinks[name]?.oldest.map { ([("sink", name)], $0.inSeconds) } }
        )
        self.add("bellhop_spool_size_bytes", "gauge", "The spool's file.", [([], Double(status.size))])
    }

    /// The names that client libraries agree on.
    private mutating func addProcess(_ process: ProcessUse) {
        self.add(
            "process_cpu_seconds_total",
            "counter",
            "User and system time.",
            [([], process.cpu.inSeconds)]
        )
        self.add(
            "process_resident_memory_bytes",
            "gauge",
            "Resident memory.",
            [([], Double(process.memory))]
        )
        self.add("process_open_fds", "gauge", "Open file descriptors.", [([], Double(process.descriptors))])
        self.add(
            "process_start_time_seconds",
            "gauge",
            "When the process started.",
            [([], process.started.inSeconds)]
        )
    }

    private mutating func add(
        _ name: String,
        _ type: String,
        _ help: String,
        _ samples: [(labels: [(String, String)], value: Double)]
    ) {
        guard !samples.isEmpty else { return }
        self.lines += ["# HELP \(name) \(help)", "# TYPE \(name) \(type)"]
        for sample in samples {
            let labels = sample.labels.map { "\($0.0)=\"\(MetricsText.escaped($0.1))\"" }.joined(separator: ",")
            let value =
                sample.value == sample.value.rounded() && abs(sample.value) < 1e15
                ? "\(Int64(sample.value))" : "\(sample.value)"
            self.lines.append(labels.isEmpty ? "\(name) \(value)" : "\(name){\(labels)} \(value)")
        }
    }

    private static func escaped(_ text: String) -> String {
        text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing("\n", with: "\\n")
    }
}

extension Timestamp {
    fileprivate var inSeconds: Double { Double(self.nanoseconds) / 1e9 }
}
