import BellhopCore

/// Posts messages to a Slack channel through an incoming webhook.
package struct SlackSink: Sink {
    package static let kind = "slack"
    package static let reference = """
        # Posts a message to Slack (an incoming webhook). Without a rule's message, a good built-in text.
        kind: slack
        url: ${SLACK_WEBHOOK_URL}
        \(HTTPPost.reference(rate: SlackSink.rate))
        """

    /// One message a second and short bursts, for each webhook (docs.slack.dev, "Rate limits").
    private static let rate = Rate(5, per: .seconds(5))

    package let name: String
    package var address: String { self.post.host }
    package var dispatch: DispatchPolicy { self.post.policy }
    package var executor: (any TaskExecutor)? { self.post.executor }

    private let post: HTTPPost

    package init(name: String, options: OptionReader, context: ComponentContext) {
        self.name = name
        self.post = HTTPPost(
            options,
            url: "the webhook's address, https://hooks.slack.com/services/…",
            rate: SlackSink.rate,
            context: context
        )
    }

    package func deliver(_ deliveries: [Delivery]) async -> [Verdict] {
        var verdicts: [Verdict] = []
        for delivery in deliveries {
            verdicts.append(
                await Verdict { () async throws(DeliveryError) -> String in
                    let answer = try await self.post.send(
                        try self.body(delivery),
                        type: "application/json",
                        for: delivery
                    )
                    // Slack answers 200 with another text when it did not take the message.
                    guard answer.body.string.trimmingSpaces == "ok" else {
                        throw .permanent(reason: self.post.reason(answer))
                    }
                    return "HTTP \(answer.status) ok"
                }
            )
        }
        return verdicts
    }

    private func body(_ delivery: Delivery) throws(DeliveryError) -> Bytes {
        do {
            return try MessageContext.with(delivery) { Bytes(SlackMessage.body($0)) }
        } catch {
            throw .unsendable(reason: "the event in the spool is \(error)")
        }
    }
}
