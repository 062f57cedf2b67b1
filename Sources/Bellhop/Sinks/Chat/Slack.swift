import BellhopCore

/// Slack's incoming webhooks (docs.slack.dev, "Sending messages using incoming webhooks").
package struct Slack: ChatService {
    package static let kind = "slack"
    package static let reference = """
        # Posts a message to Slack (an incoming webhook). Without a rule's message, a good built-in text.
        kind: slack
        url: ${SLACK_WEBHOOK_URL}
        """

    /// One message a second and short bursts, for each webhook (docs.slack.dev, "Rate limits").
    package static let rate: Rate? = Rate(5, per: .seconds(5))
    /// Code points; Slack advises 4,000 and splits or truncates beyond.
    static let limit = 4000

    package let endpoint: ChatEndpoint

    package init(_ options: OptionReader) {
        self.endpoint = .webhook(options, like: "https://hooks.slack.com/services/…")
    }

    /// Slack's control sequences (`<!channel>`, `<@U…>`, links) begin with `<`, so these three escapes also keep an
    /// event from pinging anybody (docs.slack.dev, "Formatting message text": escape only these).
    private static let markup = Markup(bold: { "*\($0)*" }) { Markup.entities(Markup.withoutControls($0)) }

    package func post(_ context: MessageContext) -> ChatPost {
        let text = ChatMessage(context, Slack.markup).joined(Slack.markup)
        let cut = Markup.mendedEntities(Truncation.codePoints(text, Slack.limit))
        return ChatPost(JSONText.object(["text": JSONText.string(cut)]))
    }

    /// Slack answers 200 with another text when it did not take the message.
    package func verdict(_ answer: HTTPResponse, reason: () -> String) -> DeliveryError? {
        answer.status == 200 && answer.body.string.trimmingSpaces != "ok" ? .permanent(reason: reason()) : nil
    }
}
