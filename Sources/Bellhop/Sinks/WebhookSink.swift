import BellhopCore

/// Posts each event's JSON, byte for byte as it came, to a URL.
package struct WebhookSink: Sink {
    package static let kind = "webhook"
    package static let reference = """
        # Posts each event to a URL. The body is the event's JSON as it came.
        kind: webhook
        url: https://example.org/hook
        \(HTTPPost.reference())
        """

    package let name: String
    package var address: String { self.post.host }
    package var dispatch: DispatchPolicy { self.post.policy }
    package var executor: (any TaskExecutor)? { self.post.executor }

    private let post: HTTPPost

    package init(name: String, options: OptionReader, context: ComponentContext) {
        self.name = name
        self.post = HTTPPost(options, url: "where to post, like https://example.org/hook", context: context)
    }

    package func deliver(_ deliveries: [Delivery]) async -> [Verdict] {
        var verdicts: [Verdict] = []
        for delivery in deliveries {
            verdicts.append(
                await Verdict { () async throws(DeliveryError) -> String in
                    let answer = try await self.post.send(delivery.event.data, type: "application/json", for: delivery)
                    return "HTTP \(answer.status)"
                }
            )
        }
        return verdicts
    }
}
