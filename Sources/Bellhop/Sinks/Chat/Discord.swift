import BellhopCore

/// Discord's webhooks (discord.com/developers/docs/resources/webhook#execute-webhook).
package struct Discord: ChatService {
    package static let kind = "discord"
    package static let reference = """
        # Posts a message to a Discord channel (a webhook), with a bar in the colour of the news.
        kind: discord
        url: ${DISCORD_WEBHOOK_URL}
        """

    /// Five in two seconds for each webhook, as clients see it; Discord tells the rest by 429.
    package static let rate: Rate? = Rate(5, per: .seconds(2))

    /// UTF-16 units; the sum of all texts of a message may be 6,000 (…/resources/message#embed-object-embed-limits).
    static let titleLimit = 256
    static let textLimit = 4096

    package let endpoint: ChatEndpoint

    package init(_ options: OptionReader) {
        let webhook = ChatEndpoint.webhook(options, like: "https://discord.com/api/webhooks/…")
        // Only with `wait` does Discord say whether the message was kept.
        let url = webhook.url.reveal()
        let waiting = url.isEmpty ? url : url + (url.contains("?") ? "&" : "?") + "wait=true"
        self.endpoint = ChatEndpoint(url: Secret(waiting), option: webhook.option, secrets: [webhook.url])
    }

    package func post(_ context: MessageContext) -> ChatPost {
        let message = ChatMessage(context, .markdown)
        let title = message.title.map { Markup.mendedBackslashes(Truncation.utf16($0, Discord.titleLimit)) }
        let embed = JSONText.object([
            ("title", title.flatMap { $0.isEmpty ? nil : JSONText.string($0) }),
            (
                "description",
                JSONText.string(Markup.mendedBackslashes(Truncation.utf16(message.text, Discord.textLimit)))
            ),
            ("color", "\(message.mood.colour)"),
            ("timestamp", JSONText.string(context.event.time.formatted(.milliseconds))),
        ])
        return ChatPost(
            JSONText.object(["embeds": JSONText.array([embed]), "allowed_mentions": JSONText.object(["parse": "[]"])])
        )
    }

    /// 404 is a webhook that was deleted; asking it again gets the address banned.
    package func verdict(_ answer: HTTPResponse, reason: () -> String) -> DeliveryError? {
        answer.status == 404 ? .gone(reason: reason()) : nil
    }
}
