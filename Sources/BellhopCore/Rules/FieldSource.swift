/// Where a path of a pattern or a message leads: `event` is Bellhop's own name, everything else the event's.
enum FieldSource {
    static let envelopeName = "event"
    /// What stands behind `event.`, beside `event.data`.
    static let envelopeFields = ["id", "source", "time", "kind"]

    case document(FieldPath)
    case data(FieldPath)
    case envelope(String)

    init(_ path: FieldPath) {
        guard path.names.first == FieldSource.envelopeName, path.names.count > 1 else {
            self = .document(path)
            return
        }
        if path.names[1] == "data" {
            self = .data(FieldPath(Array(path.names.dropFirst(2))))
        } else {
            self = .envelope(path.names.dropFirst().joined(separator: "."))
        }
    }

    /// What a shape asks of the event's own fields.
    static func documentShape(of shape: Shape) -> Shape {
        Shape(
            fields: shape.fields.filter { field in
                guard field.name == self.envelopeName, case .object = field.test else { return true }
                return false
            }
        )
    }

    /// What a shape asks of `event.data`.
    static func dataShape(of shape: Shape) -> Shape {
        for field in shape.fields where field.name == self.envelopeName {
            guard case .object(let event) = field.test else { continue }
            for field in event.fields where field.name == "data" {
                if case .object(let data) = field.test { return data }
            }
        }
        return Shape(fields: [])
    }
}

extension Event {
    /// `event.id`, `event.source`, `event.time`.
    func envelope(_ name: String) -> String? {
        switch name {
        case "id": self.id
        case "source": self.source
        case "kind": self.kind
        case "time": self.time.description
        default: nil
        }
    }
}
