/// The fields that events are known to have: what tells a mistyped name from a rare one.
package struct FieldCatalogue: Sendable {
    /// Nil where events may have any.
    private let paths: Set<String>?

    /// Events may have any field.
    package static let open = FieldCatalogue(paths: nil)

    /// - `paths`: dotted; nil where events may have any field. Below one that ends in `.*` others are possible.
    package init(paths: [String]?) { self.paths = paths.map(Set.init) }

    enum Judgement {
        case fine
        /// A field that comes with a later version.
        case lifecycle
        /// Below one of Bellhop's own names, which have no such field.
        case notOurs(hint: String)
        case unknown(hint: String)
    }

    func judge(_ path: FieldPath) -> Judgement {
        guard let first = path.names.first, path.names.count > 1 else { return self.known(path) }
        let rest = path.names.dropFirst().joined(separator: ".")
        switch first {
        case "lifecycle": return .lifecycle
        case "rule": return rest == "name" ? .fine : .notOurs(hint: "; there is rule.name")
        case "event" where path.names[1] == "data": return self.known(FieldPath(Array(path.names.dropFirst(2))))
        case "event":
            if FieldSource.envelopeFields.contains(rest) { return .fine }
            let hint = "; event has id, source, time, kind and data (the event as it came, like event.data.\(rest))"
            return .notOurs(hint: hint)
        default: return self.known(path)
        }
    }

    private func known(_ path: FieldPath) -> Judgement {
        guard let paths, !path.names.isEmpty else { return .fine }
        let text = path.names.joined(separator: ".")
        // The way to a known field is known too: sections and bodies take whole objects.
        if paths.contains(where: { $0 == text || $0.hasPrefix(text + ".") }) { return .fine }
        let fields = paths.filter { !$0.hasSuffix("*") }
        if paths.contains(where: { $0.hasSuffix(".*") && text.hasPrefix($0.dropLast()) }) {
            // Others are possible there, so only what looks mistyped is worth a word.
            return Spelling.nearest(to: text, among: fields).map { .unknown(hint: "; did you mean '\($0)'?") } ?? .fine
        }
        return .unknown(hint: Spelling.hint(for: text, among: fields))
    }
}
