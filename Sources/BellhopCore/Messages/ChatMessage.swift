/// What a chat sink says of an event: the rule's words, or Bellhop's own good ones.
package struct ChatMessage: Sendable, Hashable {
    package let title: String?
    package let text: String
    package let mood: Mood

    /// What kind of news it is.
    package enum Mood: Sendable {
        case alarm, good, warning, neutral, info

        /// By `content.type`.
        init(_ type: String) {
            switch type {
            case "start": self = .alarm
            case "acknowledged": self = .good
            case "timed_out": self = .warning
            case "end": self = .neutral
            default: self = .info
            }
        }

        /// Red, green, blue: 0xRRGGBB.
        package var colour: Int {
            switch self {
            case .alarm: 0xD32F2F
            case .good: 0x2E7D32
            case .warning: 0xF57C00
            case .neutral: 0x757575
            case .info: 0x1976D2
            }
        }
    }

    package init(_ context: MessageContext, _ markup: Markup) {
        func rendered(_ template: Template?) -> String? {
            // Fields that are not there may leave nothing, and services refuse an empty text.
            let text = template?.render(context, escape: markup.escape)
            return text.flatMap { Markup.isBlank($0) ? nil : $0 }
        }
        self.title = rendered(context.rule.title)
        self.text = rendered(context.rule.message) ?? ChatMessage.builtIn(context, markup)
        self.mood = Mood(context.text("content", "type"))
    }

    /// Title and text as one, the title in bold on its own line.
    package func joined(_ markup: Markup) -> String {
        self.title.map { "\(markup.bold($0))\n\(self.text)" } ?? self.text
    }

    /// Who, what, when.
    private static func builtIn(_ context: MessageContext, _ markup: Markup) -> String {
        let name = context.text("task", "name")
        // Names are names: one that fills a page would hide what happened.
        let escape: (String) -> String = { markup.escape(Truncation.codePoints($0, 200)) }
        let subject = markup.bold(escape(name.isEmpty ? context.event.id : name))
        let device = context.text("content", "device")
        let status = context.text("content", "status")
        let what =
            switch context.text("content", "type") {
            case "start": "🔔 \(subject) started"
            case "acknowledged":
                "✅ \(subject) acknowledged" + (device.isEmpty ? "" : " by \(markup.bold(escape(device)))")
            case "timed_out": "⏰ \(subject) timed out: nobody acknowledged it"
            case "end": "🏁 \(subject) ended" + (status.isEmpty || status == "normal" ? "" : " (\(escape(status)))")
            case "": "\(subject)"
            case let other: "\(subject): \(escape(other))"
            }
        let time = context.event.time.formatted(.seconds)
        return "\(what) · \(time.dropLast(10)) \(time.dropFirst(11).dropLast()) UTC"
    }
}
