/// What webhooks, files and programs are given of an event.
package enum PayloadFormat: String, Sendable, CaseIterable {
    /// The event's JSON as it came.
    case event
    /// `{"title", "text", "rule", "event"}`, the words as for a chat.
    case message
    /// One CloudEvent as JSON (structured mode).
    case cloudevents
    /// The event's JSON with the attributes in headers (binary mode).
    case cloudeventsBinary = "cloudevents_binary"
    /// The words alone, on one line.
    case text
}

/// Makes what is sent of each delivery.
package struct Payload: Sendable {
    package let format: PayloadFormat
    private let source: Template?
    private let type: Template?

    package init(_ format: PayloadFormat, source: Template? = nil, type: Template? = nil) {
        self.format = format
        self.source = source
        self.type = type
    }

    /// - Returns: the bytes, their media type, and headers that belong to them. A rule's `body` goes before the format.
    /// - Throws: ``JSONError`` for an event that is no JSON.
    package func render(
        _ delivery: Delivery
    ) throws -> (body: Bytes, type: String, headers: [(name: String, value: String)]) {
        let json = "application/json"
        if let body = delivery.rule.body {
            return (try MessageContext.with(delivery) { Bytes(body.render($0)) }, json, [])
        }
        switch self.format {
        case .event: return (delivery.event.data, json, [])
        case .message: return (try MessageContext.with(delivery) { self.message($0) }, json, [])
        case .text: return (try MessageContext.with(delivery) { Bytes(self.text($0)) }, "text/plain; charset=utf-8", [])
        case .cloudevents:
            let event = try MessageContext.with(delivery) { CloudEvent($0, source: self.source, type: self.type) }
            return (event.structured, CloudEvent.structuredType, [])
        case .cloudeventsBinary:
            let event = try MessageContext.with(delivery) { CloudEvent($0, source: self.source, type: self.type) }
            return (event.data, json, event.headers)
        }
    }

    private func message(_ context: MessageContext) -> Bytes {
        let message = ChatMessage(context, .plain)
        var builder = BytesBuilder(capacity: context.event.data.count + 512)
        let head = JSONText.object([
            ("title", message.title.map { JSONText.string($0) }),
            ("text", JSONText.string(message.text)),
            ("rule", JSONText.string(context.rule.name)),
        ])
        builder.append(String(head.dropLast()))
        builder.append(",\"event\":")
        builder.append(context.event.data)
        builder.append("}")
        return builder.build()
    }

    private func text(_ context: MessageContext) -> String {
        let message = ChatMessage(context, .clean)
        return (message.title.map { "\($0): \(message.text)" } ?? message.text).onOneLine
    }
}
