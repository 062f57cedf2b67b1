/// What a chat sink says of an event: the rule's words, or Bellhop's own good ones.
package struct ChatMessage: Sendable, Hashable {
    package let title: String?
    package let text: String

    /// - `bold`: marks a text as strong in the destination's language.
    /// - `escape`: makes a value harmless there.
    package init(_ context: MessageContext, bold: (String) -> String, escape: (String) -> String) {
        self.title = context.rule.title?.render(context, escape: escape)
        self.text =
            context.rule.message?.render(context, escape: escape)
            ?? ChatMessage.builtIn(context, bold: bold, escape: escape)
    }

    private static func builtIn(
        _ context: MessageContext,
        bold: (String) -> String,
        escape: (String) -> String
    ) -> String {
        let name = context.text("task", "name")
        let subject = bold(escape(name.isEmpty ? context.event.id : name))
        let device = context.text("content", "device")
        let status = context.text("content", "status")
        let what =
            switch context.text("content", "type") {
            case "start": "🔔 \(subject) started"
            case "acknowledged": "✅ \(subject) acknowledged" + (device.isEmpty ? "" : " by \(bold(escape(device)))")
            case "timed_out": "⏰ \(subject) timed out: nobody acknowledged it"
            case "end": "🏁 \(subject) ended" + (status.isEmpty || status == "normal" ? "" : " (\(escape(status)))")
            case "": "\(subject)"
            case let other: "\(subject): \(escape(other))"
            }
        let time = context.event.time.formatted(.seconds)
        return "\(what) · \(time.dropLast(10)) \(time.dropFirst(11).dropLast()) UTC"
    }
}
