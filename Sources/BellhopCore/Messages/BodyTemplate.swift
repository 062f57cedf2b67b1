/// A tree of JSON whose texts are templates: what a rule's `body` makes of an event.
package indirect enum BodyTemplate: Sendable, Hashable {
    /// JSON as it is.
    case literal(String)
    /// A leaf that is exactly one `{{{field}}}` keeps the field's own type.
    case field(FieldPath)
    case text(Template)
    case list([BodyTemplate])
    case object([Member])

    package struct Member: Sendable, Hashable {
        let name: String
        let value: BodyTemplate
    }

    /// JSON.
    package func render(_ context: MessageContext) -> String {
        switch self {
        case .literal(let json): json
        case .field(let path): context.json(at: path)
        case .text(let template): JSONText.string(template.render(context) { $0 })
        case .list(let elements): JSONText.array(elements.map { $0.render(context) })
        case .object(let members):
            "{" + members.map { "\(JSONText.string($0.name)):\($0.value.render(context))" }.joined(separator: ",") + "}"
        }
    }

    /// All templates in it, and where fields stand alone.
    package var fields: [Template.Field] {
        switch self {
        case .literal: []
        case .field(let path): [Template.Field(path: path, isInSection: false)]
        case .text(let template): template.fields
        case .list(let elements): elements.flatMap(\.fields)
        case .object(let members): members.flatMap(\.value.fields)
        }
    }

    /// Reads a tree; a template's mistake goes into the diagnostics with the leaf's place.
    package init(_ setting: Setting, zones: Zones, _ diagnostics: Diagnostics) {
        switch setting.value {
        case .null, .mistaken: self = .literal("null")
        case .bool(let bool): self = .literal(bool ? "true" : "false")
        case .number(_, let text): self = .literal(text)
        case .list(let elements): self = .list(elements.map { BodyTemplate($0, zones: zones, diagnostics) })
        case .map(let members):
            self = .object(
                members.map { Member(name: $0.key, value: BodyTemplate($0.setting, zones: zones, diagnostics)) }
            )
        case .string(let text):
            do {
                let template = try Template(text, zones: zones)
                if let path = template.soleField {
                    self = .field(path)
                } else {
                    self =
                        template.fields.isEmpty && !text.contains("{{")
                        ? .literal(JSONText.string(text)) : .text(template)
                }
            } catch {
                diagnostics.error("'body': \(error)", at: setting.place)
                self = .literal("null")
            }
        }
    }
}
