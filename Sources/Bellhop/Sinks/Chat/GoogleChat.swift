import BellhopCore

/// Google Chat's incoming webhooks (developers.google.com/workspace/chat/quickstart/webhooks).
package struct GoogleChat: ChatService {
    package static let kind = "google_chat"
    package static let reference = """
        # Posts a message to a Google Chat space (an incoming webhook).
        kind: google_chat
        url: ${GOOGLE_CHAT_WEBHOOK_URL}
        """

    /// One a second for each space, shared by all that write there (…/chat/limits).
    package static let rate: Rate? = Rate(1, per: .seconds(1))
    /// Bytes of UTF-8. A message may have 32,000, and JSON may double a text.
    static let limit = 15_000

    package let endpoint: ChatEndpoint

    package init(_ options: OptionReader) {
        self.endpoint = .webhook(options, like: "https://chat.googleapis.com/v1/spaces/…")
    }

    /// Mentions (`<users/all>`) and links (`<url|text>`) begin with `<`. There is no escape for it, so an invisible
    /// space takes their meaning away.
    private static let markup = Markup(bold: { "*\($0)*" }) { value in
        Markup.replacing(Markup.withoutControls(value)) { $0 == "<" ? "<\u{200B}" : nil }
    }

    package func post(_ context: MessageContext) -> ChatPost {
        let text = ChatMessage(context, GoogleChat.markup).joined(GoogleChat.markup)
        return ChatPost(JSONText.object(["text": JSONText.string(Truncation.utf8(text, GoogleChat.limit))]))
    }
}
