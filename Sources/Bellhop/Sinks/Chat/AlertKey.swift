import BellhopCore

/// What joins the events of one alert at a service.
enum AlertKey {
    /// The task's id, or the event's own; where it is too long, or nothing to be seen, with a hash of it.
    static func text(_ context: MessageContext, limit: Int) -> String {
        let id = context.event.task ?? context.event.id
        let text = Markup.withoutControls(id)
        // Dots alone would be a way in a URL.
        let isPlain = !text.isEmpty && !text.allSatisfy { $0 == "." || $0.isWhitespace }
        if isPlain, text.unicodeScalars.count <= limit { return text }
        // Two alerts whose long ids begin alike stay two.
        let hash = FNV1a(id.utf8).value
        return (isPlain ? String(text.unicodeScalars.prefix(limit - 17)) : "task") + "-" + String(hash, radix: 16)
    }
}
