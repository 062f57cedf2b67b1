/// What one rule made of an event, and why.
package struct Explanation: Sendable {
    package enum Verdict: Sendable, Hashable {
        case matched
        /// For each alternative of its pattern the first clause that does not hold.
        case failed([FailedClause])
        /// A rule above it matched and ends the list.
        case notReached(stop: String)
        /// It takes only what no other rule matches.
        case otherwiseOnly(matched: [String])
    }

    package let rule: Rule
    package let verdict: Verdict
}

/// What a pattern wants of a field, and what is there.
package struct FailedClause: Sendable, Hashable {
    package let field: String
    package let wanted: String
    package let seen: String
}

extension RuleSet {
    /// What each rule makes of an event, in order.
    /// - Throws: ``JSONError`` when the event is no JSON.
    package func explain(_ event: Event) throws -> [Explanation] {
        let matched = Set(try RuleEvaluator(self).matches(event))
        let stop = self.rules.indices.first { matched.contains($0) && self.rules[$0].stop }
        let others = matched.sorted().filter { !self.rules[$0].otherwise }.map { self.rules[$0].name }
        return try JSONParser().parse(event.fields) { document in
            try JSONParser().parse(event.data) { data in
                self.rules.enumerated().map { index, rule in
                    if matched.contains(index) { return Explanation(rule: rule, verdict: .matched) }
                    let clauses = rule.pattern.alternatives.compactMap { $0.firstFailure(event, document, data) }
                    if clauses.count < rule.pattern.alternatives.count {
                        if rule.otherwise, !others.isEmpty {
                            return Explanation(rule: rule, verdict: .otherwiseOnly(matched: others))
                        }
                        let name = stop.map { self.rules[$0].name } ?? "another rule"
                        return Explanation(rule: rule, verdict: .notReached(stop: name))
                    }
                    var told: Set<FailedClause> = []
                    return Explanation(rule: rule, verdict: .failed(clauses.filter { told.insert($0).inserted }))
                }
            }
        }
    }
}

extension Shape {
    /// Nil where the shape holds.
    fileprivate func firstFailure(_ event: Event, _ document: JSON, _ data: JSON) -> FailedClause? {
        for leaf in self.leaves {
            switch FieldSource(leaf.path) {
            case .document(let path):
                if let clause = leaf.failure(in: document, at: path) { return clause }
            case .data(let path):
                if let clause = leaf.failure(in: data, at: path) { return clause }
            case .envelope(let name):
                var text = event.envelope(name) ?? ""
                let holds = text.withUTF8 { utf8 in
                    let value = JSONLeaf(borrowing: UnsafeRawBufferPointer(utf8))
                    return leaf.matchers.contains { $0.accepts(event.envelope(name) == nil ? nil : value) }
                }
                if !holds { return FailedClause(leaf, seen: text.isEmpty ? "nothing" : JSONText.string(text)) }
            }
        }
        // Each clause holds by itself.
        let fields = FieldSource.documentShape(of: self)
        if fields.matches(document), FieldSource.dataShape(of: self).matches(data) { return nil }
        let names = fields.leaves.map(\.path.description).joined(separator: ", ")
        return FailedClause(
            field: names,
            wanted: "all of them in one element of a list",
            seen: "each only in another element"
        )
    }
}

extension Shape.Leaf {
    fileprivate func failure(in document: JSON, at path: FieldPath) -> FailedClause? {
        if Shape(leaves: [Shape.Leaf(path: path, matchers: self.matchers)]).matches(document) { return nil }
        var leaves: [JSONLeaf] = []
        document.collectLeaves(at: path.names[...], into: &leaves)
        let shown = leaves.prefix(5).map { $0.utf8 == nil ? ($0.isNull ? "null" : $0.text) : JSONText.string($0.text) }
        guard shown.isEmpty else {
            return FailedClause(self, seen: shown.joined(separator: ", ") + (leaves.count > 5 ? ", …" : ""))
        }
        let seen =
            switch document[path]?.kind {
            case .object: "an object"
            case .array: "a list without values"
            default: "nothing"
            }
        return FailedClause(self, seen: seen)
    }
}

extension FailedClause {
    fileprivate init(_ leaf: Shape.Leaf, seen: String) {
        self.field = leaf.path.description
        self.wanted = leaf.matchers.count == 1 ? leaf.matchers[0].description : "one of \(Matcher.list(leaf.matchers))"
        self.seen = seen.count > 200 ? seen.prefix(199) + "…" : seen
    }
}
