/// The body of a Slack incoming webhook (docs.slack.dev, "Sending messages using incoming webhooks").
package enum SlackMessage {
    /// Longer texts are cut: Slack advises 4,000 characters and splits or truncates beyond.
    package static let limit = 4000

    package static func body(_ context: MessageContext) -> String {
        let message = ChatMessage(context, bold: { "*\($0)*" }, escape: self.escape)
        let text = message.title.map { "*\($0)*\n\(message.text)" } ?? message.text
        return JSONText.object(["text": JSONText.string(self.truncate(text))])
    }

    /// Slack's control sequences (`<!channel>`, `<@U…>`, links) begin with `<`, so these three escapes also keep an event
    /// from pinging anybody (docs.slack.dev, "Formatting message text": escape only these, the ampersand first).
    package static func escape(_ value: String) -> String {
        var out = ""
        out.reserveCapacity(value.utf8.count)
        for character in value.unicodeScalars {
            switch character {
            case "&": out += "&amp;"
            case "<": out += "&lt;"
            case ">": out += "&gt;"
            default: out.unicodeScalars.append(character)
            }
        }
        return out
    }

    private static func truncate(_ text: String) -> String {
        guard text.unicodeScalars.count > self.limit else { return text }
        var cut = text.unicodeScalars.prefix(self.limit - 1)
        // An escape cut in half would show as text.
        if let ampersand = cut.lastIndex(of: "&"), !cut[ampersand...].contains(";") { cut = cut[..<ampersand] }
        return String(cut) + "…"
    }
}
