import BellhopCore

/// Posts each event to a URL: its JSON, byte for byte as it came, or what a rule's `body` or the format makes of it.
package struct WebhookSink: Sink {
    package static let kind = "webhook"
    package static let reference = """
        # Posts each event to a URL. A rule's body goes before the format.
        kind: webhook
        url: https://example.org/hook
        \(PayloadOption.reference(PayloadFormat.allCases))
        \(HTTPPost.reference())
        """

    package let name: String
    package var address: String { self.post.host }
    package var dispatch: DispatchPolicy { self.post.policy }
    package var executor: (any TaskExecutor)? { self.post.executor }

    private let post: HTTPPost
    private let payload: Payload

    package init(name: String, options: OptionReader, context: ComponentContext) {
        self.name = name
        let url = options.requiredSecret("url", "where to post, like https://example.org/hook")
        self.payload = PayloadOption.read(options, PayloadFormat.allCases)
        self.post = HTTPPost(options, url: url, context: context)
    }

    package func deliver(_ deliveries: [Delivery]) async -> [Verdict] {
        await self.post.deliver(deliveries) { delivery throws(DeliveryError) in try self.message(delivery) }
    }

    package func preview(_ delivery: Delivery) throws(DeliveryError) -> SinkPreview {
        try self.post.preview(try self.message(delivery), for: delivery)
    }

    private func message(_ delivery: Delivery) throws(DeliveryError) -> HTTPPost.Message {
        let (body, type, headers) = try self.payload.made(of: delivery)
        return HTTPPost.Message(body: body, type: type, headers: headers)
    }
}
