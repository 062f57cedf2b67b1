/// Text with `{{fields}}` of an event in it. A small part of Mustache: names only, no sections yet.
package struct Template: Sendable, Hashable {
    private enum Part: Sendable, Hashable {
        case text(String)
        case field(FieldPath)
    }

    private let parts: [Part]

    /// - Throws: ``TemplateError`` that quotes what is wrong.
    package init(_ source: String) throws(TemplateError) {
        var parts: [Part] = []
        var rest = source[...]
        while let open = rest.firstRange(of: "{{") {
            if open.lowerBound > rest.startIndex { parts.append(.text(String(rest[..<open.lowerBound]))) }
            rest = rest[open.upperBound...]
            // {{{x}}} too: what a message may contain is decided by where it goes, not by its author.
            let isTriple = rest.first == "{"
            if isTriple { rest = rest.dropFirst() }
            let closing = isTriple ? "}}}" : "}}"
            guard let close = rest.firstRange(of: closing) else { throw .unclosed(String(rest.prefix(30))) }
            parts.append(.field(try Template.field(String(rest[..<close.lowerBound]))))
            rest = rest[close.upperBound...]
        }
        if !rest.isEmpty { parts.append(.text(String(rest))) }
        self.parts = parts
    }

    private static func field(_ tag: String) throws(TemplateError) -> FieldPath {
        let name = String(tag.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
        if let sigil = name.first, "#^/>!&=$<".contains(sigil) { throw .unsupported("{{\(name)}}") }
        if name.contains(where: { $0 == " " || $0 == "|" || $0 == "(" }) { throw .unsupported("{{\(name)}}") }
        do {
            return try FieldPath(dotted: name)
        } catch {
            throw .badField("\(error)")
        }
    }

    /// The fields it asks for.
    package var paths: [FieldPath] {
        self.parts.compactMap { if case .field(let path) = $0 { path } else { nil } }
    }

    /// - `escape`: makes a value harmless where the text goes; the template's own text is left as it is.
    package func render(_ context: MessageContext, escape: (String) -> String) -> String {
        self.parts
            .map { part in
                switch part {
                case .text(let text): text
                case .field(let path): escape(context.text(at: path))
                }
            }
            .joined()
    }
}

package enum TemplateError: Error, Hashable, CustomStringConvertible {
    case unclosed(String)
    case unsupported(String)
    case badField(String)

    package var description: String {
        switch self {
        case .unclosed(let rest): "'{{\(rest)' is never closed; write {{field.name}}"
        case .unsupported(let tag): "\(tag) is not understood; this version knows {{field.name}} only"
        case .badField(let reason): reason
        }
    }
}

/// What a message can speak of: the event's fields, and what Bellhop knows of it.
package struct MessageContext {
    package let event: Event
    package let rule: Rule
    private let document: JSON
    private let data: JSON

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
        if path.names.first == "rule" { return path.names.dropFirst() == ["name"] ? self.rule.name : "" }
        return switch FieldSource(path) {
        case .document(let path): self.document[path]?.leaf.text ?? ""
        case .data(let path): self.data[path]?.leaf.text ?? ""
        case .envelope(let name): self.event.envelope(name) ?? ""
        }
    }

    package func text(_ names: String...) -> String { self.text(at: FieldPath(names)) }
}
