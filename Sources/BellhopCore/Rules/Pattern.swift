/// What an event must look like: an AWS EventBridge event pattern.
package struct Pattern: Sendable, Hashable {
    /// One of these must hold. There is more than one only through `$or`, which is multiplied out when it is read.
    package let alternatives: [Shape]

    package static let everything = Pattern(alternatives: [Shape(fields: [])])

    package func matches(_ document: JSON) -> Bool { self.alternatives.contains { $0.matches(document) } }
}

/// What an object must look like, without alternatives.
package struct Shape: Sendable, Hashable {
    /// All of these must hold; none means every object.
    package let fields: [Field]

    package struct Field: Sendable, Hashable {
        package let name: String
        package let test: Test
    }

    package indirect enum Test: Sendable, Hashable {
        /// The field is an object, or an array with at least one object, of this shape.
        case object(Shape)
        /// The field is a leaf, or an array with at least one leaf, that one of these accepts.
        case anyOf([Matcher])
    }

    /// Every leaf with its whole path, in the order written.
    package var leaves: [Leaf] {
        func collect(_ shape: Shape, under names: [String]) -> [Leaf] {
            shape.fields.flatMap { field in
                let names = names + [field.name]
                return switch field.test {
                case .object(let shape): collect(shape, under: names)
                case .anyOf(let matchers): [Leaf(path: FieldPath(names), matchers: matchers)]
                }
            }
        }
        return collect(self, under: [])
    }

    /// One field and what it may be.
    package struct Leaf: Sendable, Hashable {
        package let path: FieldPath
        package let matchers: [Matcher]
    }

    package init(fields: [Field]) { self.fields = fields }

    /// The shape with these leaves, no path of which is another's start.
    init(leaves: [Leaf]) {
        self.init(leaves.map { ($0.path.names[...], $0.matchers) })
    }

    private init(_ leaves: [(names: ArraySlice<String>, matchers: [Matcher])]) {
        var fields: [Field] = []
        var rest = leaves[...]
        while let first = rest.first, let name = first.names.first {
            // By bytes: Swift's == takes different spellings of é for the same, JSON names are code points.
            let here = rest.filter { $0.names.first?.utf8.elementsEqual(name.utf8) == true }
            rest = rest.filter { $0.names.first?.utf8.elementsEqual(name.utf8) != true }[...]
            let isLeaf = first.names.count == 1
            let below = Shape(here.filter { $0.names.count > 1 }.map { ($0.names.dropFirst(), $0.matchers) })
            fields.append(Field(name: name, test: isLeaf ? .anyOf(first.matchers) : .object(below)))
        }
        self.init(fields: fields)
    }
}

extension Shape {
    /// Whether the document has this shape, by walking it: the meaning of a pattern, arrays included. ``RuleSet``
    /// answers most events without the walk.
    package func matches(_ document: JSON) -> Bool {
        self.fields.allSatisfy { Shape.holds($0.test, document[$0.name]) }
    }

    private static func holds(_ test: Test, _ value: JSON?) -> Bool {
        switch test {
        case .object(let shape):
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
            return shape.fields.allSatisfy { self.holds($0.test, object?[$0.name]) }
        case .anyOf(let matchers):
            guard let value, value.kind == .array else {
                let leaf = value?.leaf
                return matchers.contains { $0.accepts(leaf) }
            }
            var leaves: [JSONLeaf] = []
            value.collectLeaves(at: [], into: &leaves)
            if leaves.isEmpty { return matchers.contains { $0.accepts(nil) } }
            return leaves.contains { leaf in matchers.contains { $0.accepts(leaf) } }
        }
    }
}

extension JSON {
    /// The leaves at a path of member names, through all elements of the arrays on the way.
    func collectLeaves(at names: ArraySlice<String>, into leaves: inout [JSONLeaf]) {
        switch self.kind {
        case .array:
            self.forEachElement { element in
                element.collectLeaves(at: names, into: &leaves)
                return true
            }
        case .object:
            guard let name = names.first else { return }
            self[name]?.collectLeaves(at: names.dropFirst(), into: &leaves)
        default:
            if names.isEmpty { leaves.append(self.leaf) }
        }
    }
}
