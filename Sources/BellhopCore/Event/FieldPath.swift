/// Where a field stands in an event: member names from the outside in, written `content.type`.
package struct FieldPath: Sendable, Hashable, CustomStringConvertible {
    package let names: [String]

    package init(_ names: [String]) {
        self.names = names
    }

    /// Reads the dotted form; `\.` is a dot inside a name, `\\` a backslash.
    /// - Throws: ``FieldPathError`` for an empty name or another escape.
    package init(dotted text: String) throws(FieldPathError) {
        var names: [String] = []
        var name = String.UnicodeScalarView()
        var escaped = false
        // Scalars: a letter that combines with the dot before it is still another field.
        for character in text.unicodeScalars {
            if escaped {
                guard character == "." || character == "\\" else { throw .unknownEscape(text, Character(character)) }
                name.append(character)
                escaped = false
            } else if character == "\\" {
                escaped = true
            } else if character == "." {
                names.append(String(name))
                name = String.UnicodeScalarView()
            } else {
                name.append(character)
            }
        }
        guard !escaped else { throw .endsInBackslash(text) }
        names.append(String(name))
        guard !names.contains("") else { throw .emptyName(text) }
        self.names = names
    }

    package var description: String {
        self.names
            .map { $0.split(separator: "\\", omittingEmptySubsequences: false).joined(separator: "\\\\") }
            .map { $0.split(separator: ".", omittingEmptySubsequences: false).joined(separator: "\\.") }
            .joined(separator: ".")
    }
}

extension FieldPath {
    /// By code points, as JSON compares names; Swift's `==` takes canonically equivalent spellings for the same.
    package static func == (left: FieldPath, right: FieldPath) -> Bool {
        left.names.elementsEqual(right.names) { $0.utf8.elementsEqual($1.utf8) }
    }

    package func hash(into hasher: inout Hasher) {
        for name in self.names {
            for byte in name.utf8 { hasher.combine(byte) }
            hasher.combine(UInt8.max)
        }
    }
}

package enum FieldPathError: Error, Hashable, CustomStringConvertible {
    case emptyName(String)
    case endsInBackslash(String)
    case unknownEscape(String, Character)

    package var description: String {
        switch self {
        case .emptyName(let text): "'\(text)' has an empty field name; write names with single dots, like content.type"
        case .endsInBackslash(let text): "'\(text)' ends in a backslash; a literal backslash is written \\\\"
        case .unknownEscape(let text, let character):
            "'\(text)' escapes '\(character)'; only \\. (a dot in a name) and \\\\ are known"
        }
    }
}
