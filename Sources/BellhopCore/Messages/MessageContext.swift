/// What a message can speak of: the event's fields, and what Bellhop knows of it.
package struct MessageContext {
    package let event: Event
    package let rule: Rule
    let document: JSON
    let data: JSON

    /// Names that are Bellhop's, also where the event has a field of the name. `lifecycle` is still empty.
    static let ownNames: Set<String> = ["event", "rule", "lifecycle"]

    /// - `document`: ``Event/fields``, parsed.
    /// - `data`: ``Event/data``, parsed; the same document for most events.
    package init(event: Event, rule: Rule, document: JSON, data: JSON) {
        self.event = event
        self.rule = rule
        self.document = document
        self.data = data
    }

    /// Parses the event and lends its context for the length of the call.
    /// - Throws: ``JSONError``; an event that was accepted has been parsed before, so this is a broken spool.
    package static func with<Result>(
        _ delivery: Delivery,
        _ body: (MessageContext) throws -> Result
    ) throws -> Result {
        let event = delivery.event
        return try JSONParser().parse(event.fields) { document in
            guard event.normalized != nil else {
                return try body(MessageContext(event: event, rule: delivery.rule, document: document, data: document))
            }
            return try JSONParser().parse(event.data) { data in
                try body(MessageContext(event: event, rule: delivery.rule, document: document, data: data))
            }
        }
    }

    /// The field as text: strings bare, nothing for null, for what is not there, and for objects and arrays.
    package func text(at path: FieldPath) -> String {
        if path.names.count > 1, path.names[0] == "rule" { return path.names[1...] == ["name"] ? self.rule.name : "" }
        if path.names.count > 1, path.names[0] == "lifecycle" { return "" }
        return switch FieldSource(path) {
        case .document(let path): self.document[path]?.leaf.text ?? ""
        case .data(let path): self.data[path]?.leaf.text ?? ""
        case .envelope(let name): self.event.envelope(name) ?? ""
        }
    }

    package func text(_ names: String...) -> String { self.text(at: FieldPath(names)) }

    /// The field as JSON of its own type; `null` where it is not there.
    package func json(at path: FieldPath) -> String {
        if path.names.count > 1, ["rule", "lifecycle"].contains(path.names[0]) { return self.ownJSON(path) }
        return switch FieldSource(path) {
        case .document(let path): self.document[path]?.json ?? "null"
        case .data(let path): self.data[path]?.json ?? "null"
        case .envelope: self.ownJSON(path)
        }
    }

    private func ownJSON(_ path: FieldPath) -> String {
        let text = self.text(at: path)
        return text.isEmpty ? "null" : JSONText.string(text)
    }
}
