/// What an event must look like: an AWS EventBridge event pattern.
package struct Pattern: Sendable, Hashable {
    /// All of these must hold; none means every event.
    package let fields: [Field]

    package struct Field: Sendable, Hashable {
        package let name: String
        package let test: Test
    }

    package indirect enum Test: Sendable, Hashable {
        /// The field is an object, or an array with at least one object, in which all of these hold.
        case object([Field])
        /// The field is a leaf, or an array with at least one leaf, that one of these accepts.
        case anyOf([Matcher])
    }

    package static let everything = Pattern(fields: [])

    /// Every leaf with its whole path, in the order written.
    package var leaves: [(path: FieldPath, matchers: [Matcher])] {
        func collect(_ fields: [Field], under names: [String]) -> [(path: FieldPath, matchers: [Matcher])] {
            fields.flatMap { field in
                let names = names + [field.name]
                return switch field.test {
                case .object(let fields): collect(fields, under: names)
                case .anyOf(let matchers): [(FieldPath(names), matchers)]
                }
            }
        }
        return collect(self.fields, under: [])
    }
}

extension Pattern {
    /// Whether the document has this shape, by walking it: the meaning of a pattern, arrays included. ``RuleSet``
    /// answers most events without the walk.
    package func matches(_ document: JSON) -> Bool {
        self.fields.allSatisfy { Pattern.holds($0.test, document[$0.name]) }
    }

    static func holds(_ test: Test, _ value: JSON?) -> Bool {
        switch test {
        case .object(let fields):
            if let value, value.kind == .array {
                // All fields must hold in one and the same element.
                var isEmpty = true
                var found = false
                value.forEachElement { element in
                    isEmpty = false
                    found = self.holds(test, element)
                    return !found
                }
                if !isEmpty { return found }
            }
            let object = value.flatMap { $0.kind == .object ? $0 : nil }
            return fields.allSatisfy { self.holds($0.test, object?[$0.name]) }
        case .anyOf(let matchers):
            guard let value, value.kind == .array else {
                let leaf = value?.leaf
                return matchers.contains { $0.accepts(leaf) }
            }
            var leaves: [JSONLeaf] = []
            self.collectLeaves(of: value, into: &leaves)
            if leaves.isEmpty { return matchers.contains { $0.accepts(nil) } }
            return leaves.contains { leaf in matchers.contains { $0.accepts(leaf) } }
        }
    }

    private static func collectLeaves(of array: JSON, into leaves: inout [JSONLeaf]) {
        array.forEachElement { element in
            switch element.kind {
            case .array: self.collectLeaves(of: element, into: &leaves)
            case .object: break
            default: leaves.append(element.leaf)
            }
            return true
        }
    }
}
