/// An event as CloudEvents 1.0 (https://github.com/cloudevents/spec, spec.md, json-format.md, http-protocol-binding.md).
package struct CloudEvent: Sendable, Hashable {
    /// Names and values, without `data` and `datacontenttype`.
    package let attributes: [(name: String, value: String)]
    /// The event's JSON as it came.
    package let data: Bytes

    package static let structuredType = "application/cloudevents+json; charset=UTF-8"

    /// - `source`: the URI reference of where it happened; nil makes one of the source's name.
    /// - `type`: what it is; nil is `bellhop.` and the event's `content.type`.
    package init(_ context: MessageContext, source: Template?, type: Template?) {
        let event = context.event
        let kind = context.text("content", "type")
        var attributes = [
            ("specversion", "1.0"),
            ("id", event.id),
            (
                "source",
                source?.render(context) { $0.percentEncoded } ?? "/bellhop/\(event.source.percentEncoded)"
            ),
            ("type", type?.render(context) { $0 } ?? "bellhop.\(kind.isEmpty ? "event" : kind)"),
            ("time", event.time.formatted(.microseconds)),
        ]
        // Optional, so one that would not fit into a header is left out.
        if let task = event.task, task.utf8.count <= 1000 { attributes.append(("subject", task)) }
        self.attributes = attributes.map { ($0, CloudEvent.clean($1)) }
        self.data = event.data
    }

    /// Everything as one JSON object.
    package var structured: Bytes {
        var members = self.attributes.map { (name: $0.name, value: Optional(JSONText.string($0.value))) }
        members.append(("datacontenttype", "\"application/json\""))
        var builder = BytesBuilder(capacity: self.data.count + 512)
        builder.append(String(JSONText.object(members).dropLast()))
        builder.append(",\"data\":")
        builder.append(self.data)
        builder.append("}")
        return builder.build()
    }

    /// The `ce-` headers of the binary form; its body is ``data``.
    package var headers: [(name: String, value: String)] {
        self.attributes.map { ("ce-\($0.name)", CloudEvent.encoded($0.value)) }
    }

    package static func == (left: CloudEvent, right: CloudEvent) -> Bool {
        left.data == right.data
            && left.attributes.elementsEqual(right.attributes) { $0.name == $1.name && $0.value == $1.value }
    }

    package func hash(into hasher: inout Hasher) { hasher.combine(self.data) }

    /// Whether a template's own text is made of what may stand in a URI reference (RFC 3986); fields are encoded.
    package static func mayBeReference(_ template: String) -> Bool {
        var rest = template[...]
        while let open = rest.firstRange(of: "{{"), let close = rest[open.upperBound...].firstRange(of: "}}") {
            guard self.isReference(rest[..<open.lowerBound]) else { return false }
            rest = rest[close.upperBound...].drop { $0 == "}" }
        }
        return self.isReference(rest)
    }

    private static func isReference(_ text: Substring) -> Bool {
        let marks = Set("-._~:/?#[]@!$&'()*+,;=%".utf8)
        return text.utf8.allSatisfy { byte in
            (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte) || marks.contains(byte)
        }
    }

    /// What spec.md allows in a String: no control characters and no noncharacters. Required attributes are not empty.
    private static func clean(_ text: String) -> String {
        let kept = text.unicodeScalars.filter { scalar in
            switch scalar.value {
            case 0..<0x20, 0x7F..<0xA0, 0xFDD0...0xFDEF: false
            default: scalar.value & 0xFFFE != 0xFFFE
            }
        }
        return kept.isEmpty ? "-" : String(String.UnicodeScalarView(kept))
    }

    /// Percent-encoded UTF-8 but for what header values may hold (http-protocol-binding.md §3.1.3.2).
    private static func encoded(_ text: String) -> String {
        text.percentEncoded { (0x21...0x7E).contains($0) && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "%") }
    }
}
