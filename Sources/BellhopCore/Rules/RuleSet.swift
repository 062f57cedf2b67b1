/// All rules, compiled: the fields they ask for as one tree, and each rule as tests of those fields.
package struct RuleSet: Sendable {
    package let rules: [Rule]
    /// Whether any rule asks for what Bellhop knows of an event beside its JSON (`event.id`, `event.time`, …).
    package let asksForEnvelope: Bool
    private let numbers: [String: Int]
    fileprivate let compiled: CompiledRules
    /// Nil for few rules: asking each is then the quickest.
    fileprivate let index: RuleIndex?
    /// What the walk over a document needs, without Bellhop's own names: for each branch the shape of
    /// ``Event/fields`` and that of ``Event/data``.
    fileprivate let walks: [(document: Shape, data: Shape)]
    fileprivate let tree: FieldTree
    /// Fields of the event as it came (`event.data.…`), which for most events is the same document.
    fileprivate let dataTree: FieldTree
    /// For each test the name behind `event.`, where it asks for one.
    fileprivate let envelopeNames: [String?]

    /// - `indexedFrom`: the number of branches from which an index pays.
    package init(_ rules: [Rule], indexedFrom threshold: Int = 16) {
        let branches = rules.enumerated().flatMap { number, rule in
            rule.pattern.alternatives.map { (rule: number, shape: $0, leaves: $0.leaves) }
        }
        let sources = branches.map { $0.leaves.map { FieldSource($0.path) } }
        let tree = FieldTree(sources.joined().compactMap { if case .document(let path) = $0 { path } else { nil } })
        let dataTree = FieldTree(sources.joined().compactMap { if case .data(let path) = $0 { path } else { nil } })
        let tests = zip(branches, sources).map { branch, sources in
            zip(branch.leaves, sources).map { leaf, source -> (source: CompiledRules.Source, leaf: Shape.Leaf) in
                switch source {
                case .document(let path): (.document(slot: tree.slot(of: path) ?? 0), leaf)
                case .data(let path): (.data(slot: dataTree.slot(of: path) ?? 0), leaf)
                case .envelope: (.envelope, leaf)
                }
            }
        }
        self.rules = rules
        self.numbers = Dictionary(rules.enumerated().map { ($1.name, $0) }) { first, _ in first }
        self.tree = tree
        self.dataTree = dataTree
        self.envelopeNames = sources.joined().map { if case .envelope(let name) = $0 { name } else { nil } }
        self.asksForEnvelope = self.envelopeNames.contains { $0 != nil }
        self.walks = branches.map { branch in
            (FieldSource.documentShape(of: branch.shape), FieldSource.dataShape(of: branch.shape))
        }
        self.compiled = CompiledRules(rules, branches: zip(branches, tests).map { ($0.rule, $1) })
        self.index = tests.count < threshold ? nil : RuleIndex(tests)
    }

    package subscript(name name: String) -> Rule? { self.numbers[name].map { self.rules[$0] } }
}

/// Tells which rules an event matches. Holds buffers that the next event reuses, so it belongs to one task.
package final class RuleEvaluator {
    private let ruleSet: RuleSet
    private let compiled: CompiledRules
    private let parser = JSONParser()
    private let dataParser = JSONParser()
    private let values: FieldValues
    private let dataValues: FieldValues
    private let candidates: Candidates

    package init(_ ruleSet: RuleSet) {
        self.ruleSet = ruleSet
        self.compiled = ruleSet.compiled
        self.values = FieldValues(ruleSet.tree)
        self.dataValues = FieldValues(ruleSet.dataTree)
        let index = ruleSet.index
        self.candidates = Candidates(
            branches: index == nil ? 0 : ruleSet.compiled.branches.count,
            slots: index?.slotCount ?? 0
        )
    }

    /// The indices of the rules that match, in order.
    /// - Throws: ``JSONError`` when the event is not JSON, which its source should have found.
    package func matches(_ event: Event) throws -> [Int] {
        let document = try self.parser.parse(start: event.fields.unsafeStart, count: event.fields.count)
        var data = document
        if event.normalized != nil, !self.ruleSet.dataTree.isEmpty {
            data = try self.dataParser.parse(start: event.data.unsafeStart, count: event.data.count)
        }
        let subject = Subject(document: document, data: data, event: event)
        self.read(subject)
        var matched = self.matches(subject, otherwise: false)
        if matched.isEmpty, self.compiled.hasOtherwise { matched = self.matches(subject, otherwise: true) }
        withExtendedLifetime(event) {}
        return matched
    }

    /// Whether any rule matches bytes that belong to no source and are followed by ``Bytes/padding`` readable ones; nil
    /// where they are no object.
    ///
    /// - `makeEvent`: what Bellhop knows of them beside their JSON; asked only when a rule comes to that.
    package func matchesAny(
        start: UnsafeRawPointer,
        count: Int,
        makeEvent: (() -> Event?)? = nil
    ) throws(JSONError) -> Bool? {
        let document = try self.parser.parse(start: start, count: count)
        guard document.kind == .object else { return nil }
        let subject = Subject(document: document, data: document, event: nil, makeEvent: makeEvent)
        self.read(subject)
        guard self.ruleSet.index == nil else {
            return (0..<self.candidates.count).contains { self.holds(self.candidates[$0], subject) }
        }
        return self.compiled.branches.indices.contains { self.holds($0, subject) }
    }

    /// What is asked about.
    private struct Subject {
        let document: JSON
        let data: JSON
        /// Nil in a pipe, where one is made when somebody asks.
        let event: Event?
        var makeEvent: (() -> Event?)?

        var knownEvent: Event? { self.event ?? self.makeEvent?() }
    }

    private func read(_ subject: Subject) {
        self.values.read(subject.document, self.ruleSet.tree)
        self.dataValues.read(subject.data, self.ruleSet.dataTree)
        if let index = self.ruleSet.index { self.collectCandidates(index, subject) }
    }

    private func matches(_ subject: Subject, otherwise: Bool) -> [Int] {
        var matched: [Int] = []
        let branches = self.compiled.branches
        guard self.ruleSet.index != nil else {
            for index in branches.indices {
                let branch = branches[index]
                guard branch.otherwise == otherwise, matched.last != branch.rule, self.holds(index, subject) else {
                    continue
                }
                matched.append(branch.rule)
                if branch.stop { break }
            }
            return matched
        }
        var stop = Int.max
        for index in 0..<self.candidates.count {
            let branch = branches[self.candidates[index]]
            guard branch.otherwise == otherwise, branch.rule <= stop, self.holds(self.candidates[index], subject) else {
                continue
            }
            matched.append(branch.rule)
            if branch.stop { stop = min(stop, branch.rule) }
        }
        guard matched.count > 1 else { return matched }
        // Candidates come in the order of the fields, and a rule once for each of its branches.
        matched.sort()
        var last = -1
        return matched.filter { rule in
            defer { last = rule }
            return rule != last && rule <= stop
        }
    }

    private func collectCandidates(_ index: RuleIndex, _ subject: Subject) {
        self.candidates.begin()
        for branch in index.always { self.candidates.add(branch) }
        for number in index.fields.indices {
            let field = index.fields[number]
            let leaf: JSONLeaf?
            switch field.source {
            case .document(let slot): leaf = self.values[slot]
            case .data(let slot): leaf = self.dataValues[slot]
            case .envelope: continue
            }
            if let leaf {
                index.collect(field, leaf, into: self.candidates)
                continue
            }
            // An array on the way: any of its elements may be what a branch is filed under.
            var leaves: [JSONLeaf] = []
            switch FieldSource(index.paths[number]) {
            case .document(let path): subject.document.collectLeaves(at: path.names[...], into: &leaves)
            case .data(let path): subject.data.collectLeaves(at: path.names[...], into: &leaves)
            case .envelope: break
            }
            for leaf in leaves { index.collect(field, leaf, into: self.candidates) }
        }
    }

    /// Whether all tests of a branch hold.
    private func holds(_ branch: Int, _ subject: Subject) -> Bool {
        for number in self.compiled.branches[branch].tests {
            let test = self.compiled.tests[number]
            let leaf: JSONLeaf?
            switch test.source {
            case .document(let slot): leaf = self.values[slot]
            case .data(let slot): leaf = self.dataValues[slot]
            case .envelope:
                guard self.envelopeHolds(number, test, subject.knownEvent) else { return false }
                continue
            }
            // An array on the way: only the walk knows which elements belong together.
            guard let leaf else { return self.walk(branch, subject) }
            guard self.compiled.accepts(test, leaf) else { return false }
        }
        return true
    }

    private func walk(_ branch: Int, _ subject: Subject) -> Bool {
        let walk = self.ruleSet.walks[branch]
        guard walk.document.matches(subject.document), walk.data.matches(subject.data) else { return false }
        return self.compiled.branches[branch].tests.allSatisfy { number in
            let test = self.compiled.tests[number]
            guard case .envelope = test.source else { return true }
            return self.envelopeHolds(number, test, subject.knownEvent)
        }
    }

    /// What Bellhop knows of an event beside its JSON.
    private func envelopeHolds(_ number: Int, _ test: CompiledRules.Test, _ event: Event?) -> Bool {
        guard let name = self.ruleSet.envelopeNames[number], var text = event?.envelope(name) else {
            return test.acceptsAbsence
        }
        return text.withUTF8 { self.compiled.accepts(test, JSONLeaf(borrowing: UnsafeRawBufferPointer($0))) }
    }
}
