import BellhopCore

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
        await self.post.deliver(deliveries) { delivery throws(DeliveryError) in
            try self.message(delivery)
        } judge: { answer in
            self.service.verdict(answer) { self.post.reason(answer) }
        }
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
