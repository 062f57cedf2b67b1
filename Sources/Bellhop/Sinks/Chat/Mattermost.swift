import BellhopCore

/// Mattermost's incoming webhooks (developers.mattermost.com/integrate/webhooks/incoming).
package struct Mattermost: ChatService {
    package static let kind = "mattermost"
    package static let reference = """
        # Posts a message to a Mattermost channel (an incoming webhook).
        kind: mattermost
        url: ${MATTERMOST_WEBHOOK_URL}
        """

    /// Code points; longer texts become several posts.
    static let limit = 16_383

    package let endpoint: ChatEndpoint

    package init(_ options: OptionReader) {
        self.endpoint = .webhook(options, like: "https://mattermost.example.org/hooks/…")
    }

    package func post(_ context: MessageContext) -> ChatPost {
        let text = ChatMessage(context, .markdown).joined(.markdown)
        let cut = Markup.mendedBackslashes(Truncation.codePoints(text, Mattermost.limit))
        return ChatPost(JSONText.object(["text": JSONText.string(cut)]))
    }
}
