import BellhopCore

/// Microsoft Teams through Workflows (learn.microsoft.com/connectors/teams, "When a Teams webhook request is received").
/// The older connectors are retired.
package struct Teams: ChatService {
    package static let kind = "teams"
    package static let reference = """
        # Posts an Adaptive Card to Teams, through a workflow "Post to a channel when a webhook request is received".
        kind: teams
        url: ${TEAMS_WEBHOOK_URL}
        """

    /// Teams' own limits: 4 a second, 60 in 30 s.
    package static let rate: Rate? = Rate(4, per: .seconds(2))

    /// Bytes of UTF-8. Teams takes 28,672 of a message it writes anew; JSON may double a text and the card comes on top.
    static let titleLimit = 500
    static let textLimit = 9000

    package let endpoint: ChatEndpoint

    package init(_ options: OptionReader) {
        self.endpoint = .webhook(options, like: "https://….logic.azure.com/workflows/…")
    }

    package func post(_ context: MessageContext) -> ChatPost {
        let message = ChatMessage(context, .markdown)
        // One line break is a space in Markdown.
        func paragraphs(_ text: String) -> String {
            text.split(separator: "\n", omittingEmptySubsequences: false).joined(separator: "\n\n")
        }
        let title = message.title.map { Markup.mendedBackslashes(Truncation.utf8(paragraphs($0), Teams.titleLimit)) }
        let text = Markup.mendedBackslashes(Truncation.utf8(paragraphs(message.text), Teams.textLimit))
        let blocks = [
            title.map { self.block($0, weight: "Bolder", message.mood) }, self.block(text, message.mood),
        ]
        let card = JSONText.object([
            "$schema": "\"http://adaptivecards.io/schemas/adaptive-card.json\"",
            "type": "\"AdaptiveCard\"",
            "version": "\"1.2\"",
            "body": JSONText.array(blocks.compactMap { $0 }),
            "msteams": JSONText.object(["width": "\"full\""]),
        ])
        let attachment = JSONText.object([
            "contentType": "\"application/vnd.microsoft.card.adaptive\"",
            "contentUrl": "null",
            "content": card,
        ])
        return ChatPost(JSONText.object(["type": "\"message\"", "attachments": JSONText.array([attachment])]))
    }

    private func block(_ text: String, weight: String? = nil, _ mood: ChatMessage.Mood) -> String {
        let colour =
            switch mood {
            case .alarm: "Attention"
            case .warning: "Warning"
            case .good: "Good"
            case .neutral, .info: "Default"
            }
        return JSONText.object([
            ("type", "\"TextBlock\""),
            ("text", JSONText.string(text)),
            ("wrap", "true"),
            ("weight", weight.map { JSONText.string($0) }),
            ("color", JSONText.string(colour)),
        ])
    }

    /// Old connectors hid a 429 in a body under status 200; some relays still do.
    package func verdict(_ answer: HTTPResponse, reason: () -> String) -> DeliveryError? {
        guard answer.status == 200 else { return nil }
        return answer.body.string.contains("returned HTTP error 429") ? .throttled(reason: reason()) : nil
    }
}
