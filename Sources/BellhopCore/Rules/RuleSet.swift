/// All rules, compiled: the fields they ask for as one tree, and each rule as tests of those fields.
package struct RuleSet: Sendable {
    package let rules: [Rule]
    private let numbers: [String: Int]
    fileprivate let compiled: CompiledRules
    /// What the walk over a document needs, without Bellhop's own names: for each rule the pattern for
    /// ``Event/fields`` and that for ``Event/data``.
    fileprivate let walks: [(document: Pattern, data: Pattern)]
    fileprivate let tree: FieldTree
    /// Fields of the event as it came (`event.data.…`), which for most events is the same document.
    fileprivate let dataTree: FieldTree
    /// For each test the name behind `event.`, where it asks for one.
    fileprivate let envelopeNames: [String?]

    package init(_ rules: [Rule]) {
        let tests = rules.map { rule in rule.pattern.leaves.map { (FieldSource($0.path), $0.matchers) } }
        let sources = tests.joined().map(\.0)
        let tree = FieldTree(sources.compactMap { if case .document(let path) = $0 { path } else { nil } })
        let dataTree = FieldTree(sources.compactMap { if case .data(let path) = $0 { path } else { nil } })
        self.rules = rules
        self.numbers = Dictionary(rules.enumerated().map { ($1.name, $0) }) { first, _ in first }
        self.tree = tree
        self.dataTree = dataTree
        self.envelopeNames = sources.map { if case .envelope(let name) = $0 { name } else { nil } }
        self.walks = rules.map { rule in
            let fields = rule.pattern.fields.filter { $0.name != FieldSource.envelopeName }
            return (Pattern(fields: fields), FieldSource.dataPattern(of: rule.pattern))
        }
        self.compiled = CompiledRules(
            rules,
            tests: tests.map { tests in
                tests.map { source, matchers in
                    switch source {
                    case .document(let path): (.document(slot: tree.slot(of: path) ?? 0), matchers)
                    case .data(let path): (.data(slot: dataTree.slot(of: path) ?? 0), matchers)
                    case .envelope: (.envelope, matchers)
                    }
                }
            }
        )
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

    package init(_ ruleSet: RuleSet) {
        self.ruleSet = ruleSet
        self.compiled = ruleSet.compiled
        self.values = FieldValues(ruleSet.tree)
        self.dataValues = FieldValues(ruleSet.dataTree)
    }

    /// The indices of the rules that match, in order.
    /// - Throws: ``JSONError`` when the event is not JSON, which its source should have found.
    package func matches(_ event: Event) throws -> [Int] {
        let document = try self.parser.parse(start: event.fields.unsafeStart, count: event.fields.count)
        var data = document
        if event.normalized != nil, !self.ruleSet.dataTree.isEmpty {
            data = try self.dataParser.parse(start: event.data.unsafeStart, count: event.data.count)
        }
        self.values.read(document, self.ruleSet.tree)
        self.dataValues.read(data, self.ruleSet.dataTree)
        var matched = self.matches(document, data, event, otherwise: false)
        if matched.isEmpty { matched = self.matches(document, data, event, otherwise: true) }
        withExtendedLifetime(event) {}
        return matched
    }

    /// Whether any rule matches bytes that belong to no source and are followed by ``Bytes/padding`` readable ones; nil
    /// where they are no object.
    package func matchesAny(start: UnsafeRawPointer, count: Int) throws(JSONError) -> Bool? {
        let document = try self.parser.parse(start: start, count: count)
        guard document.kind == .object else { return nil }
        self.values.read(document, self.ruleSet.tree)
        self.dataValues.read(document, self.ruleSet.dataTree)
        let rules = self.compiled.rules
        for index in rules.indices where self.holds(index, rules[index], document, document, nil) { return true }
        return false
    }

    private func matches(_ document: JSON, _ data: JSON, _ event: Event, otherwise: Bool) -> [Int] {
        var matched: [Int] = []
        let rules = self.compiled.rules
        for index in rules.indices {
            let rule = rules[index]
            guard rule.otherwise == otherwise, self.holds(index, rule, document, data, event) else { continue }
            matched.append(index)
            if rule.stop { break }
        }
        return matched
    }

    private func holds(
        _ index: Int,
        _ rule: CompiledRules.Rule,
        _ document: JSON,
        _ data: JSON,
        _ event: Event?
    ) -> Bool {
        for number in rule.tests {
            let test = self.compiled.tests[number]
            let leaf: JSONLeaf?
            switch test.source {
            case .document(let slot): leaf = self.values[slot]
            case .data(let slot): leaf = self.dataValues[slot]
            case .envelope:
                guard self.envelopeHolds(number, test, event) else { return false }
                continue
            }
            // An array on the way: only the walk knows which elements belong together.
            guard let leaf else { return self.walk(index, rule, document, data, event) }
            guard self.compiled.accepts(test, leaf) else { return false }
        }
        return true
    }

    private func walk(_ index: Int, _ rule: CompiledRules.Rule, _ document: JSON, _ data: JSON, _ event: Event?) -> Bool
    {
        let walk = self.ruleSet.walks[index]
        guard walk.document.matches(document), walk.data.matches(data) else { return false }
        return rule.tests.allSatisfy { number in
            let test = self.compiled.tests[number]
            guard case .envelope = test.source else { return true }
            return self.envelopeHolds(number, test, event)
        }
    }

    /// What Bellhop knows of an event beside its JSON; in a pipe nothing.
    private func envelopeHolds(_ number: Int, _ test: CompiledRules.Test, _ event: Event?) -> Bool {
        guard let name = self.ruleSet.envelopeNames[number], var text = event?.envelope(name) else {
            return test.acceptsAbsence
        }
        return text.withUTF8 { self.compiled.accepts(test, JSONLeaf(borrowing: UnsafeRawBufferPointer($0))) }
    }
}

/// Where a path of a pattern or a message leads: `event` is Bellhop's own name, everything else the event's.
enum FieldSource {
    static let envelopeName = "event"

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

    static func dataPattern(of pattern: Pattern) -> Pattern {
        for field in pattern.fields where field.name == self.envelopeName {
            guard case .object(let fields) = field.test else { continue }
            for field in fields where field.name == "data" {
                if case .object(let fields) = field.test { return Pattern(fields: fields) }
            }
        }
        return .everything
    }
}

extension Event {
    /// `event.id`, `event.source`, `event.time`.
    func envelope(_ name: String) -> String? {
        switch name {
        case "id": self.id
        case "source": self.source
        case "time": self.time.description
        default: nil
        }
    }
}
