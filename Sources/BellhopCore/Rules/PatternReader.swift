/// Reads a pattern as a user wrote it. A mistake is reported with its place and never becomes "does not match".
package struct PatternReader {
    private let diagnostics: Diagnostics
    private let matchers: MatcherReader

    /// Alternatives that one pattern's `$or`s may multiply to.
    private static let limit = 1000
    /// Fields that all alternatives of one pattern may test together.
    private static let leafLimit = 20_000
    /// Keys of one mapping.
    private static let widthLimit = 1000

    package init(_ diagnostics: Diagnostics, zones: Zones = .utcOnly) {
        self.diagnostics = diagnostics
        self.matchers = MatcherReader(diagnostics, zones: zones)
    }

    package func pattern(_ setting: Setting) -> Pattern {
        if setting.isNull { return .everything }
        guard setting.members != nil else {
            self.diagnostics.error(
                "a pattern is a mapping of fields to values, not \(setting.shown)",
                at: setting.place
            )
            return .everything
        }
        let root = Draft()
        self.collect(setting, into: root, isRoot: true)
        let size = root.size
        guard size.leaves <= PatternReader.leafLimit || size.alternatives > PatternReader.limit else {
            self.diagnostics.error(
                "this pattern tests \(PatternReader.leafLimit) fields and more in all its alternatives; make several rules of it",
                at: setting.place
            )
            return .everything
        }
        guard size.alternatives <= PatternReader.limit else {
            self.diagnostics.error(
                "the '$or's of this pattern multiply to more than \(PatternReader.limit) alternatives; make several rules of it",
                at: setting.place
            )
            return .everything
        }
        var told: Set<Place> = []
        return Pattern(
            alternatives: root.alternatives(under: []).map { leaves in
                self.tellOfRepeats(leaves, &told)
                return Shape(leaves: leaves.map { Shape.Leaf(path: FieldPath($0.names), matchers: $0.matchers) })
            }
        )
    }

    private func collect(_ setting: Setting, into draft: Draft, isRoot: Bool) {
        let members = setting.members ?? []
        guard members.count <= PatternReader.widthLimit else {
            self.diagnostics.error(
                "a pattern tests at most \(PatternReader.widthLimit) fields of one object",
                at: setting.place
            )
            return
        }
        if members.isEmpty, !isRoot {
            self.diagnostics.error(
                "an empty mapping matches nothing; leave the field out, or name fields in it",
                at: setting.place
            )
        }
        for member in members {
            if !isRoot, MatcherReader.operators.contains(member.key) {
                self.diagnostics.error(
                    "'\(member.key)' is an operator and stands in a list: write [{ \(member.key): … }] "
                        + "(a field of that name is written with a dotted key)",
                    at: member.place
                )
                continue
            }
            if member.key == "$or" {
                self.either(member, draft)
                continue
            }
            if member.key.hasPrefix("$") {
                self.diagnostics.error("'\(member.key)' is no known operator; there is only '$or'", at: member.place)
                continue
            }
            do {
                let path = try FieldPath(dotted: member.key)
                self.place(member, at: path, in: draft)
            } catch {
                self.diagnostics.error("\(error)", at: member.place)
            }
        }
    }

    private func either(_ member: Setting.Member, _ draft: Draft) {
        guard let branches = member.setting.elements, !branches.isEmpty else {
            self.diagnostics.error(
                "'$or' is a list of patterns, like [{ content.type: start }, { task.name: test }], "
                    + "not \(member.setting.elements == nil ? member.setting.shown : "an empty list")",
                at: member.setting.place
            )
            return
        }
        draft.either.append(
            branches.map { branch in
                let draft = Draft()
                if branch.members?.isEmpty == false {
                    self.collect(branch, into: draft, isRoot: true)
                } else if !branch.isMistaken {
                    let what = branch.members == nil ? branch.shown : "an empty one, which is every event"
                    self.diagnostics.error("each branch of '$or' is a pattern, not \(what)", at: branch.place)
                }
                return draft
            }
        )
    }

    private func place(_ member: Setting.Member, at path: FieldPath, in draft: Draft) {
        var draft = draft
        for name in path.names {
            guard draft.matchers == nil else { return self.twice(path.description, member.place) }
            draft = draft.child(name)
        }
        if member.setting.members != nil {
            guard draft.matchers == nil else { return self.twice(path.description, member.place) }
            self.collect(member.setting, into: draft, isRoot: false)
        } else {
            guard draft.matchers == nil, draft.children.isEmpty, draft.either.isEmpty else {
                return self.twice(path.description, member.place)
            }
            draft.matchers = self.matchers.matchers(member.setting, field: member.key)
            draft.place = member.place
        }
    }

    /// A branch of `$or` must not test what stands outside of it, or another `$or` in the same mapping.
    private func tellOfRepeats(_ leaves: [Draft.Leaf], _ told: inout Set<Place>) {
        var whole: Set<[[UInt8]]> = []
        var ways: Set<[[UInt8]]> = []
        for leaf in leaves {
            let names = leaf.names.map { Array($0.utf8) }
            let starts = names.indices.map { Array(names[...$0]) }
            // Tested itself, on the way to another's field, or with another's field on the way to it.
            if ways.contains(names) || starts.contains(where: whole.contains), told.insert(leaf.place).inserted {
                self.twice(FieldPath(leaf.names).description, leaf.place)
            }
            whole.insert(names)
            ways.formUnion(starts)
        }
    }

    private func twice(_ path: String, _ place: Place) {
        self.diagnostics.error(
            "the field \(path) is tested twice in one pattern; put all its values in one list",
            at: place
        )
    }
}

/// A pattern while its dotted and nested keys are being brought together.
private final class Draft {
    typealias Leaf = (names: [String], matchers: [Matcher], place: Place)

    var children: [(name: String, draft: Draft)] = []
    /// The branches of each `$or` in this mapping.
    var either: [[Draft]] = []
    var matchers: [Matcher]?
    var place = Place(file: "", line: 1, column: 1)

    private var numbers: [[UInt8]: Int] = [:]

    func child(_ name: String) -> Draft {
        if let known = self.numbers[Array(name.utf8)] { return self.children[known].draft }
        let draft = Draft()
        self.numbers[Array(name.utf8)] = self.children.count
        self.children.append((name, draft))
        return draft
    }

    /// How many ``alternatives(under:)`` there would be, and leaves in all of them; may be far too many.
    var size: (alternatives: Int, leaves: Int) {
        if self.matchers != nil { return (1, 1) }
        let bound: (Int) -> Int = { min($0, 10_000_000) }
        var size = (alternatives: 1, leaves: 0)
        func multiply(_ other: (alternatives: Int, leaves: Int)) {
            size = (
                bound(size.alternatives * other.alternatives),
                bound(size.leaves * other.alternatives + other.leaves * size.alternatives)
            )
        }
        for child in self.children { multiply(child.draft.size) }
        for branches in self.either {
            multiply(
                branches.map(\.size).reduce((0, 0)) { (bound($0.0 + $1.alternatives), bound($0.1 + $1.leaves)) }
            )
        }
        return size
    }

    /// The leaves of each combination of branches.
    func alternatives(under names: [String]) -> [[Leaf]] {
        if let matchers { return [[(names, matchers, self.place)]] }
        var found: [[Leaf]] = [[]]
        func multiply(_ choices: [[Leaf]]) {
            found = found.flatMap { leaves in choices.map { leaves + $0 } }
        }
        for (name, draft) in self.children { multiply(draft.alternatives(under: names + [name])) }
        for branches in self.either { multiply(branches.flatMap { $0.alternatives(under: names) }) }
        return found
    }
}
