import BellhopCore

/// Rocket.Chat's incoming webhooks (docs.rocket.chat, "Integrations").
package struct RocketChat: ChatService {
    package static let kind = "rocket_chat"
    package static let reference = """
        # Posts a message to a Rocket.Chat channel (an incoming webhook integration).
        kind: rocket_chat
        url: ${ROCKET_CHAT_WEBHOOK_URL}
        """

    /// The server's default for each integration.
    package static let rate: Rate? = Rate(10, per: .seconds(60))
    /// UTF-16 units: the default of `Message_MaxAllowedSize`.
    static let limit = 5000

    package let endpoint: ChatEndpoint

    package init(_ options: OptionReader) {
        self.endpoint = .webhook(options, like: "https://rocket.example.org/hooks/…")
    }

    private static let markup = Markup(bold: { "*\($0)*" }, escape: Markup.markdown.escape)

    package func post(_ context: MessageContext) -> ChatPost {
        let text = ChatMessage(context, RocketChat.markup).joined(RocketChat.markup)
        return ChatPost(
            JSONText.object([
                "text": JSONText.string(Markup.mendedBackslashes(Truncation.utf16(text, RocketChat.limit)))
            ])
        )
    }

    /// A failure may come with status 200.
    package func verdict(_ answer: HTTPResponse, reason: () -> String) -> DeliveryError? {
        guard (200...299).contains(answer.status) else { return nil }
        let success = try? JSONParser().parse(answer.body) { $0["success"]?.leaf.bool }
        return success == false ? .permanent(reason: reason()) : nil
    }
}
