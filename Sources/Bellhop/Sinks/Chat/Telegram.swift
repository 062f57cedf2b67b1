import BellhopCore

/// Telegram's bots (core.telegram.org/bots/api#sendmessage).
package struct Telegram: ChatService {
    package static let kind = "telegram"
    package static let reference = """
        # Sends a message as a Telegram bot.
        kind: telegram
        bot_token: ${TELEGRAM_BOT_TOKEN}   # from @BotFather
        chat_id: "-1001234567890"          # a chat's number, or @channelname
        thread_id: 0                       # a topic of a forum; 0 for none
        html: false                        # true: rules' messages are Telegram's HTML, like <b>{{task.name}}</b>
        silent: false                      # true: without a sound
        base_url: https://api.telegram.org
        """

    /// Twenty a minute to one group (core.telegram.org/bots/faq).
    package static let rate: Rate? = Rate(20, per: .seconds(60))
    /// After the markup is taken away; counted in UTF-16 units, the smaller of what it may mean.
    static let limit = 4096

    package let endpoint: ChatEndpoint
    private let chat: String
    private let thread: Int
    private let isHTML: Bool
    private let isSilent: Bool

    package init(_ options: OptionReader) {
        let token = options.requiredSecret("bot_token", "what @BotFather gave you, like 123456:ABC…")
        self.chat = options.requiredString("chat_id", "the chat's number, or @channelname")
        self.thread = options.integer("thread_id", default: 0, in: 0...Int(Int32.max))
        self.isHTML = options.bool("html", default: false)
        self.isSilent = options.bool("silent", default: false)
        let path = "/bot\(token.reveal())/sendMessage"
        self.endpoint = .path(path, options, base: "https://api.telegram.org", secrets: token.isEmpty ? [] : [token])
    }

    package func post(_ context: MessageContext) -> ChatPost {
        let (text, isHTML) = self.text(context)
        // A number may be written as a text.
        let chat = Int64(self.chat).map { "\($0)" } ?? JSONText.string(self.chat)
        return ChatPost(
            JSONText.object([
                ("chat_id", chat),
                ("message_thread_id", self.thread == 0 ? nil : "\(self.thread)"),
                ("text", JSONText.string(text)),
                ("parse_mode", isHTML ? "\"HTML\"" : nil),
                ("link_preview_options", JSONText.object(["is_disabled": "true"])),
                ("disable_notification", self.isSilent ? "true" : nil),
            ])
        )
    }

    private func text(_ context: MessageContext) -> (text: String, isHTML: Bool) {
        let clean = Markup(bold: { $0 }) { Markup.withoutMentions(Markup.withoutControls($0)) }
        let plain = ChatMessage(context, clean).joined(clean)
        // Cut markup would be refused, so a long text goes without.
        guard plain.utf16.count <= Telegram.limit else { return (Truncation.utf16(plain, Telegram.limit), false) }
        let bold: @Sendable (String) -> String = { "<b>\($0)</b>" }
        if self.isHTML || context.rule.message == nil {
            // Values may stand in attributes of the author's tags.
            let markup = Markup(bold: bold) { Markup.entities(clean.escape($0)).replacing("\"", with: "&quot;") }
            return (ChatMessage(context, markup).joined(markup), true)
        }
        let message = ChatMessage(context, clean)
        let text = Markup.entities(message.text)
        return (message.title.map { "\(bold(Markup.entities($0)))\n\(text)" } ?? text, true)
    }

    package func verdict(_ answer: HTTPResponse, reason: () -> String) -> DeliveryError? {
        if answer.status == 400, let chat = self.newChat(answer) {
            return .permanent(reason: "\(reason()); the group is now chat \(chat): set 'chat_id' to it")
        }
        guard (200...299).contains(answer.status) else { return nil }
        let ok = try? JSONParser().parse(answer.body) { $0["ok"]?.leaf.bool }
        return ok == true ? nil : .permanent(reason: reason())
    }

    /// Where a group went that became a supergroup.
    private func newChat(_ answer: HTTPResponse) -> String? {
        let id = try? JSONParser().parse(answer.body) { $0["parameters"]?["migrate_to_chat_id"]?.leaf.text }
        return (id ?? nil).flatMap { $0.isEmpty ? nil : $0 }
    }
}
