import BellhopCore
import BellhopTesting
import Testing

@testable import Bellhop

/// What receivers can do to a sender. One after the other: each uses all of its threads' time.
@Suite(.serialized, .timeLimit(.minutes(8))) enum Faults {}

/// Events of a few tasks, and a pipeline that carries them all.
enum FaultWorld {
    static let count = 48
    static let tasks = 6
    static let ids = (0..<Self.count).map { "e\($0)" }

    static var batches: [[Event]] {
        stride(from: 0, to: Self.count, by: 12)
            .map { start in
                (start..<start + 12)
                    .map { number in
                        let json = "{\"event_id\":\"e\(number)\",\"task\":{\"id\":\"t\(number % Self.tasks)\"}}"
                        return Event.stub(
                            id: "e\(number)",
                            source: "scripted",
                            task: "t\(number % Self.tasks)",
                            json: json
                        )
                    }
            }
    }

    static let quick = #""retry":{"base":"10ms","cap":"50ms"},"circuit_breaker":{"probe_every":"20ms"}"#
    /// For faults that take all of the sender's patience.
    static let impatient = #""timeout":"300ms","# + Self.quick
    static let hasty = #""timeout":"20s","# + Self.quick

    /// Runs all events through a pipeline until everything is settled.
    static func run(
        _ sinks: [any Sink],
        spool: SQLiteSpool,
        context: ComponentContext,
        batches: [[Event]]? = nil
    ) async throws {
        let rules = RuleSet([Rule(name: "all", sinks: sinks.map(\.name))])
        let source = ScriptedSource(batches: batches ?? Self.batches)
        try await Pipeline(sources: [source], sinks: sinks, rules: rules, spool: spool, context: context).run()
    }

    static func webhook(_ name: String, _ url: String, _ options: String, _ context: ComponentContext) -> WebhookSink {
        let diagnostics = Diagnostics()
        let reader = OptionReader.stub("{\"url\":\"\(url)\",\(options)}", diagnostics)
        let sink = WebhookSink(name: name, options: reader, context: context)
        #expect(diagnostics.all.isEmpty)
        return sink
    }
}
