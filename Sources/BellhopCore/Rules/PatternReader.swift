/// Reads a pattern as a user wrote it. A mistake is reported with its place and never becomes "does not match".
package struct PatternReader {
    private let diagnostics: Diagnostics

    package init(_ diagnostics: Diagnostics) {
        self.diagnostics = diagnostics
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
        return Pattern(fields: root.fields)
    }

    private func collect(_ setting: Setting, into draft: Draft, isRoot: Bool) {
        let members = setting.members ?? []
        if members.isEmpty, !isRoot {
            self.diagnostics.error(
                "an empty mapping matches nothing; leave the field out, or name fields in it",
                at: setting.place
            )
        }
        for member in members {
            if !isRoot, members.count == 1, MatcherReader.operators.contains(member.key) {
                self.diagnostics.error(
                    "'\(member.key)' is an operator and stands in a list: write [{ \(member.key): … }] "
                        + "(a field of that name is written with a dotted key)",
                    at: member.place
                )
                continue
            }
            if member.key.hasPrefix("$") {
                self.diagnostics.error("'\(member.key)' is no known operator", at: member.place)
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

    private func place(_ member: Setting.Member, at path: FieldPath, in draft: Draft) {
        var draft = draft
        for name in path.names {
            guard draft.matchers == nil else { return self.twice(member, path) }
            draft = draft.child(name)
        }
        if member.setting.members != nil {
            guard draft.matchers == nil else { return self.twice(member, path) }
            self.collect(member.setting, into: draft, isRoot: false)
        } else {
            guard draft.matchers == nil, draft.children.isEmpty else { return self.twice(member, path) }
            draft.matchers = MatcherReader(self.diagnostics).matchers(member.setting, field: member.key)
        }
    }

    private func twice(_ member: Setting.Member, _ path: FieldPath) {
        self.diagnostics.error(
            "the field \(path) is tested twice in one pattern; put all its values in one list",
            at: member.place
        )
    }
}

/// A pattern while its dotted and nested keys are being brought together.
private final class Draft {
    var children: [(name: String, draft: Draft)] = []
    var matchers: [Matcher]?

    func child(_ name: String) -> Draft {
        if let known = self.children.first(where: { $0.name.utf8.elementsEqual(name.utf8) }) { return known.draft }
        let draft = Draft()
        self.children.append((name, draft))
        return draft
    }

    var fields: [Pattern.Field] {
        self.children.map { name, draft in
            Pattern.Field(name: name, test: draft.matchers.map { .anyOf($0) } ?? .object(draft.fields))
        }
    }
}
