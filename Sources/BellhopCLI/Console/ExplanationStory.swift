import Bellhop
import BellhopCore

/// What rules make of one event, and what sinks would send of it.
struct ExplanationStory {
    private let event: Event
    private let explanations: [Explanation]
    private let previews: [(rule: String, sink: String, kind: String, preview: Result<SinkPreview, DeliveryError>)]

    init(_ event: Event, _ explanations: [Explanation], _ sinks: [any Sink]) {
        self.event = event
        self.explanations = explanations
        let matched = explanations.filter { $0.verdict == .matched }.map(\.rule)
        self.previews = matched.flatMap { rule in
            rule.sinks.compactMap { name in
                guard let sink = sinks.first(where: { $0.name == name }) else { return nil }
                let delivery = Delivery(id: 1, event: event, rule: rule, sink: name, attempt: 1)
                let preview = Result { () throws(DeliveryError) in try sink.preview(delivery) }
                return (rule.name, name, type(of: sink).kind, preview)
            }
        }
    }

    func text(isTerminal: Bool) -> String {
        func style(_ text: String, _ style: Terminal.Style) -> String { Terminal.style(text, style, when: isTerminal) }
        // What events say must not move the cursor.
        func clean(_ text: String) -> String { Markup.withoutControls(text) }
        let task = self.event.task.map { ", task \($0)" } ?? ""
        var lines = [clean("event \(self.event.id) of \(self.event.source), \(self.event.time)\(task)")]
        let width = self.explanations.map { $0.rule.name.count }.max() ?? 0
        for explanation in self.explanations {
            let name = explanation.rule.name
            let padded = name + String(repeating: " ", count: width - name.count)
            switch explanation.verdict {
            case .matched:
                lines.append("\(style("✔", .green)) \(padded)  → \(explanation.rule.sinks.joined(separator: ", "))")
            case .notReached(let stop):
                lines.append("– \(padded)  not reached: '\(stop)' matches and ends the list")
            case .otherwiseOnly(let matched):
                lines.append(
                    "– \(padded)  takes only what no other rule matches, and \(matched.joined(separator: ", ")) did"
                )
            case .failed(let clauses):
                for (index, clause) in clauses.enumerated() {
                    let start =
                        index == 0 ? "\(style("✘", .red)) \(padded)" : "  " + String(repeating: " ", count: width)
                    lines.append("\(start)  " + clean("\(clause.field) is \(clause.seen), not \(clause.wanted)"))
                }
            }
        }
        if self.previews.isEmpty { lines.append("nothing would be sent") }
        for (rule, sink, kind, preview) in self.previews {
            lines.append("")
            lines.append(style("\(sink) (\(kind)), for rule \(rule)", .bold))
            switch preview {
            case .success(let preview): lines += (preview.head + ["", preview.body]).map { "  \(clean($0))" }
            case .failure(let error): lines.append("  cannot be sent: \(error.reason)")
            }
        }
        return lines.joined(separator: "\n")
    }

    struct JSON: Encodable {
        struct Rule: Encodable {
            struct Clause: Encodable { let field: String, wanted: String, seen: String }

            let rule: String, matched: Bool, reason: String?, clauses: [Clause]
        }

        struct Request: Encodable {
            let rule: String, sink: String, kind: String, head: [String], body: String, problem: String?
        }

        let event: String, source: String, time: String, task: String?
        let rules: [Rule]
        let requests: [Request]
    }

    var json: JSON {
        JSON(
            event: self.event.id,
            source: self.event.source,
            time: "\(self.event.time)",
            task: self.event.task,
            rules: self.explanations.map { explanation in
                let name = explanation.rule.name
                return switch explanation.verdict {
                case .matched: .init(rule: name, matched: true, reason: nil, clauses: [])
                case .notReached(let stop): .init(rule: name, matched: false, reason: "stopped by \(stop)", clauses: [])
                case .otherwiseOnly: .init(rule: name, matched: false, reason: "another rule matched", clauses: [])
                case .failed(let clauses):
                    .init(
                        rule: name,
                        matched: false,
                        reason: "its pattern does not hold",
                        clauses: clauses.map { .init(field: $0.field, wanted: $0.wanted, seen: $0.seen) }
                    )
                }
            },
            requests: self.previews.map { rule, sink, kind, preview in
                switch preview {
                case .success(let preview):
                    .init(rule: rule, sink: sink, kind: kind, head: preview.head, body: preview.body, problem: nil)
                case .failure(let error):
                    .init(rule: rule, sink: sink, kind: kind, head: [], body: "", problem: error.reason)
                }
            }
        )
    }
}
