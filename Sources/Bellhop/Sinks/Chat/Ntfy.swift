import BellhopCore

/// ntfy (docs.ntfy.sh/publish/#publish-as-json): notifications on telephones.
package struct Ntfy: ChatService {
    package static let kind = "ntfy"
    package static let reference = """
        # Sends a notification through ntfy, its priority by content.type.
        kind: ntfy
        topic: ops-alerts                  # letters, digits, - and _; whoever knows it can read it
        token: ${NTFY_TOKEN:-}             # an access token, where the server asks for one
        base_url: https://ntfy.sh
        """

    /// ntfy.sh's: 60 at once, then one every 5 s.
    package static let rate: Rate? = Rate(60, per: .seconds(300))
    /// Bytes of UTF-8 of message and title. ntfy takes 4,096 for a message, and 8,192 for the whole JSON, which may
    /// double a text.
    static let messageLimit = 3500
    static let titleLimit = 250

    package let endpoint: ChatEndpoint
    private let topic: String

    package init(_ options: OptionReader) {
        self.topic = options.requiredString("topic", "the topic's name, like ops-alerts")
        let isName: (UInt8) -> Bool = { byte in
            Character(Unicode.Scalar(byte)).isLetter || Character(Unicode.Scalar(byte)).isNumber || byte == 45
                || byte == 95
        }
        if self.topic.utf8.count > 64 || !self.topic.utf8.allSatisfy({ $0 < 128 && isName($0) }) {
            options.diagnostics.error(
                "'topic' is up to 64 letters, digits, '-' and '_' (\(options.owner))",
                at: options.place(of: "topic")
            )
        }
        let token = Secret(options.string("token", default: ""))
        var endpoint = ChatEndpoint.path("/", options, base: "https://ntfy.sh", secrets: token.isEmpty ? [] : [token])
        if !token.isEmpty { endpoint.headers = [HTTPHeader("Authorization", "Bearer \(token.reveal())")] }
        self.endpoint = endpoint
    }

    package func post(_ context: MessageContext) -> ChatPost {
        let message = ChatMessage(context, .clean)
        let priority =
            switch message.mood {
            case .alarm, .warning: 5
            case .good, .info: 3
            case .neutral: 2
            }
        let title = message.title.map { Truncation.utf8($0.onOneLine, Ntfy.titleLimit) }
        return ChatPost(
            JSONText.object([
                ("topic", JSONText.string(self.topic)),
                ("title", title.map { JSONText.string($0) }),
                ("message", JSONText.string(Truncation.utf8(message.text, Ntfy.messageLimit))),
                ("priority", "\(priority)"),
            ])
        )
    }

    /// 507 is a limit of the account, which no waiting lifts.
    package func verdict(_ answer: HTTPResponse, reason: () -> String) -> DeliveryError? {
        answer.status == 507 ? .permanent(reason: reason()) : nil
    }
}
