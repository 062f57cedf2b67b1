import BellhopCore

/// A chat or on-call service: what is particular to it. ``ChatSink`` is everything else.
package protocol ChatService: Sendable {
    /// The value of `kind:`.
    static var kind: String { get }
    /// What it is, and the service's own options, as YAML.
    static var reference: String { get }
    /// The service's own limit, where it is known.
    static var rate: Rate? { get }
    /// Reads the service's own options.
    init(_ options: OptionReader)
    var endpoint: ChatEndpoint { get }
    /// What is posted of an event: JSON, within the service's limits whatever the event holds.
    func post(_ context: MessageContext) -> ChatPost
    /// What an answer means, where its status alone would mislead; nil where it would not.
    ///
    /// - `reason`: the answer in a few words.
    func verdict(_ answer: HTTPResponse, reason: () -> String) -> DeliveryError?
}

extension ChatService {
    package static var rate: Rate? { nil }
    package func verdict(_ answer: HTTPResponse, reason: () -> String) -> DeliveryError? { nil }
}

/// Where a service is.
package struct ChatEndpoint: Sendable {
    /// Keys stand in it, so all of it is secret.
    package let url: Secret
    /// The option it comes from.
    package let option: String
    package var headers: [HTTPHeader] = []
    /// Keys that must not be shown beside the URL.
    package var secrets: [Secret] = []

    /// A webhook's address, which the service makes and which is its own key.
    static func webhook(_ options: OptionReader, like example: String) -> ChatEndpoint {
        ChatEndpoint(url: options.requiredSecret("url", "the webhook's address, \(example)"), option: "url")
    }

    /// A path of a service that is found under `base_url`.
    static func path(_ path: String, _ options: OptionReader, base: String, secrets: [Secret] = []) -> ChatEndpoint {
        let base = options.string("base_url", default: base)
        let plain = base.hasSuffix("/") ? String(base.dropLast()) : base
        if base.contains("?") || base.contains("#") {
            options.diagnostics.error(
                "'base_url' is where the service is, without ? and # (\(options.owner))",
                at: options.place(of: "base_url")
            )
        }
        return ChatEndpoint(url: Secret(plain + path), option: "base_url", secrets: secrets)
    }
}

package struct ChatPost: Sendable {
    package let json: String
    /// Another URL than the endpoint's, at the same host.
    package var url: Secret?

    package init(_ json: String, url: Secret? = nil) {
        self.json = json
        self.url = url
    }
}

extension Markup {
    /// Marks that most Markdown dialects read.
    static let markdownMarks: Set<Unicode.Scalar> = [
        "\\", "*", "_", "~", "`", "|", ">", "<", "[", "]", "(", ")", "#",
    ]

    /// `**bold**`; values cannot format, link or mention.
    static let markdown = Markup(bold: { "**\($0)**" }) { value in
        Markup.backslashed(Markup.withoutMentions(Markup.withoutControls(value)), Markup.markdownMarks)
    }
}
