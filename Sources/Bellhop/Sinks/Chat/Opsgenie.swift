import BellhopCore

/// Opsgenie's Alert API (docs.opsgenie.com/docs/alert-api). An alert is one there too, by its alias.
package struct Opsgenie: ChatService {
    package static let kind = "opsgenie"
    package static let reference = """
        # Creates, acknowledges and closes Opsgenie alerts, one for each alert.
        kind: opsgenie
        api_key: ${OPSGENIE_API_KEY}           # of an API integration
        priority: P1                           # P1 (critical) to P5
        base_url: https://api.opsgenie.com     # in Europe https://api.eu.opsgenie.com
        """

    /// Code points (docs.opsgenie.com/docs/alerts-and-alert-fields).
    static let messageLimit = 130
    static let descriptionLimit = 15_000
    static let aliasLimit = 512

    enum Priority: String, CaseIterable, Sendable { case P1, P2, P3, P4, P5 }

    package let endpoint: ChatEndpoint
    private let priority: Priority

    package init(_ options: OptionReader) {
        let key = options.requiredSecret("api_key", "the key of an API integration")
        self.priority = options.choice("priority", default: .P1)
        var endpoint = ChatEndpoint.path(
            "/v2/alerts",
            options,
            base: "https://api.opsgenie.com",
            secrets: key.isEmpty ? [] : [key]
        )
        endpoint.headers = [HTTPHeader("Authorization", "GenieKey \(key.reveal())")]
        self.endpoint = endpoint
    }

    package func post(_ context: MessageContext) -> ChatPost {
        let alias = AlertKey.text(context, limit: Opsgenie.aliasLimit)
        let message = ChatMessage(context, .clean)
        let note = JSONText.object([
            "note": JSONText.string(Truncation.codePoints(message.text, Opsgenie.descriptionLimit)),
            "source": "\"bellhop\"",
        ])
        switch context.text("content", "type") {
        case "acknowledged": return ChatPost(note, url: self.url(alias, "acknowledge"))
        case "end": return ChatPost(note, url: self.url(alias, "close"))
        default:
            let title = message.title ?? message.text
            return ChatPost(
                JSONText.object([
                    "message": JSONText.string(Truncation.codePoints(title.onOneLine, Opsgenie.messageLimit)),
                    "alias": JSONText.string(alias),
                    "description": JSONText.string(Truncation.codePoints(message.text, Opsgenie.descriptionLimit)),
                    "priority": JSONText.string(self.priority.rawValue),
                    "source": "\"bellhop\"",
                ])
            )
        }
    }

    private func url(_ alias: String, _ action: String) -> Secret {
        Secret("\(self.endpoint.url.reveal())/\(alias.percentEncoded)/\(action)?identifierType=alias")
    }
}
