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
    func verdict(_ answer: HTTPResponse, reason: String) -> DeliveryError?
}

extension ChatService {
    package static var rate: Rate? { nil }
    package func verdict(_ answer: HTTPResponse, reason: String) -> DeliveryError? { nil }
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

/// Posts messages to a chat or on-call service.
package struct ChatSink<Service: ChatService>: Sink {
    package static var kind: String { Service.kind }
    package static var sendsEvents: Bool { false }
    package static var reference: String { "\(Service.reference)\n\(HTTPPost.reference(rate: Service.rate))" }

    package let name: String
    package var address: String { self.post.host }
    package var dispatch: DispatchPolicy { self.post.policy }
    package var executor: (any TaskExecutor)? { self.post.executor }

    private let service: Service
    private let post: HTTPPost

    package init(name: String, options: OptionReader, context: ComponentContext) {
        self.name = name
        self.service = Service(options)
        let endpoint = self.service.endpoint
        for secret in endpoint.secrets { context.redactor.add(secret) }
        self.post = HTTPPost(
            options,
            url: endpoint.url,
            from: endpoint.option,
            headers: endpoint.headers,
            rate: Service.rate,
            context: context
        )
    }

    package func deliver(_ deliveries: [Delivery]) async -> [Verdict] {
        var verdicts: [Verdict] = []
        for delivery in deliveries {
            verdicts.append(
                await Verdict { () async throws(DeliveryError) -> String in
                    let message = try await self.post.made(of: delivery) { delivery throws(DeliveryError) in
                        try self.message(delivery)
                    }
                    let answer = try await self.post.exchange(message, for: delivery)
                    let reason = self.post.reason(answer)
                    if let error = self.service.verdict(answer, reason: reason) ?? self.post.verdict(answer) {
                        throw error
                    }
                    return "HTTP \(answer.status)"
                }
            )
        }
        return verdicts
    }

    package func preview(_ delivery: Delivery) throws(DeliveryError) -> SinkPreview {
        try self.post.preview(try self.message(delivery), for: delivery)
    }

    private func message(_ delivery: Delivery) throws(DeliveryError) -> HTTPPost.Message {
        do {
            let post = try MessageContext.with(delivery) { self.service.post($0) }
            return HTTPPost.Message(body: Bytes(post.json), type: "application/json; charset=utf-8", url: post.url)
        } catch {
            throw .unsendable(reason: "the event in the spool is \(error)")
        }
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
