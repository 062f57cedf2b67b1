/// All rules, compiled: the fields they ask for as one tree, and each rule as tests of those fields.
package struct RuleSet: Sendable {
    package let rules: [Rule]
    fileprivate let compiled: [CompiledRule]
    fileprivate let tree: FieldTree
    /// Fields of the event as it came (`event.data.…`), which for most events is the same document.
    fileprivate let dataTree: FieldTree
    /// Some rule asks for `event.id`, `event.source` or `event.time`.
    fileprivate let needsEnvelope: Bool

    package init(_ rules: [Rule]) {
        self.rules = rules
        let tests = rules.map { rule in rule.pattern.leaves.map { (FieldSource($0.path), $0.matchers) } }
        let sources = tests.joined().map(\.0)
        let tree = FieldTree(sources.compactMap { if case .document(let path) = $0 { path } else { nil } })
        let dataTree = FieldTree(sources.compactMap { if case .data(let path) = $0 { path } else { nil } })
        self.tree = tree
        self.dataTree = dataTree
        self.needsEnvelope = sources.contains { if case .envelope = $0 { true } else { false } }
        self.compiled = zip(rules, tests).map { rule, tests in
            CompiledRule(
                otherwise: rule.otherwise,
                stop: rule.stop,
                tests: tests.map { source, matchers in
                    let slot: CompiledTest.Slot =
                        switch source {
                        case .document(let path): .document(tree.slot(of: path) ?? 0)
                        case .data(let path): .data(dataTree.slot(of: path) ?? 0)
                        case .envelope(let name): .envelope(name)
                        }
                    return CompiledTest(slot: slot, matchers: matchers)
                },
                pattern: Pattern(fields: rule.pattern.fields.filter { $0.name != FieldSource.envelopeName }),
                dataPattern: FieldSource.dataPattern(of: rule.pattern)
            )
        }
    }

    package subscript(name name: String) -> Rule? { self.rules.first { $0.name == name } }

    /// The rules' sinks, each once, in the order rules name them.
    package var sinks: [String] {
        var seen: Set<String> = []
        return self.rules.flatMap(\.sinks).filter { seen.insert($0).inserted }
    }
}

/// Tells which rules an event matches. Holds buffers that the next event reuses, so it belongs to one task.
package final class RuleEvaluator {
    package let ruleSet: RuleSet
    private let parser = JSONParser()
    private let dataParser = JSONParser()
    private let values: FieldValues
    private let dataValues: FieldValues

    package init(_ ruleSet: RuleSet) {
        self.ruleSet = ruleSet
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
        let matched = self.matches(document, data: data, envelope: self.ruleSet.needsEnvelope ? Envelope(event) : nil)
        withExtendedLifetime(event) {}
        return matched
    }

    /// Whether any rule matches bytes that belong to no source and are followed by ``Bytes/padding`` readable ones; nil
    /// where they are no object.
    package func matchesAny(start: UnsafeRawPointer, count: Int) throws(JSONError) -> Bool? {
        let document = try self.parser.parse(start: start, count: count)
        return document.kind == .object ? self.hasMatch(document) : nil
    }

    private func hasMatch(_ document: JSON) -> Bool {
        self.read(document, data: document)
        // `otherwise` rules are asked last, and only about what no other rule took.
        for rule in self.ruleSet.compiled where !rule.otherwise && self.holds(rule, document, document, nil) {
            return true
        }
        return self.ruleSet.compiled.contains { $0.otherwise && self.holds($0, document, document, nil) }
    }

    private func matches(_ document: JSON, data: JSON, envelope: Envelope?) -> [Int] {
        self.read(document, data: data)
        var matched: [Int] = []
        let compiled = self.ruleSet.compiled
        for (index, rule) in compiled.enumerated() where !rule.otherwise && self.holds(rule, document, data, envelope) {
            matched.append(index)
            if rule.stop { break }
        }
        guard matched.isEmpty else { return matched }
        for (index, rule) in compiled.enumerated() where rule.otherwise && self.holds(rule, document, data, envelope) {
            matched.append(index)
            if rule.stop { break }
        }
        return matched
    }

    private func read(_ document: JSON, data: JSON) {
        self.values.read(document, self.ruleSet.tree)
        self.dataValues.read(data, self.ruleSet.dataTree)
    }

    private func holds(_ rule: CompiledRule, _ document: JSON, _ data: JSON, _ envelope: Envelope?) -> Bool {
        for test in rule.tests {
            let leaf: JSONLeaf?
            switch test.slot {
            case .document(let slot): leaf = self.values[slot]
            case .data(let slot): leaf = self.dataValues[slot]
            case .envelope(let name):
                guard envelope?.accepts(test.matchers, name) ?? test.matchers.contains(.exists(false)) else {
                    return false
                }
                continue
            }
            // An array on the way: only the walk knows which elements belong together.
            guard let leaf else { return self.walk(rule, document, data, envelope) }
            guard test.matchers.contains(where: { $0.accepts(leaf) }) else { return false }
        }
        return true
    }

    private func walk(_ rule: CompiledRule, _ document: JSON, _ data: JSON, _ envelope: Envelope?) -> Bool {
        guard rule.pattern.matches(document), rule.dataPattern.matches(data) else { return false }
        return rule.tests.allSatisfy { test in
            guard case .envelope(let name) = test.slot else { return true }
            return envelope?.accepts(test.matchers, name) ?? test.matchers.contains(.exists(false))
        }
    }
}

private struct CompiledRule: Sendable {
    let otherwise: Bool
    let stop: Bool
    let tests: [CompiledTest]
    /// What the walk needs, without Bellhop's own names.
    let pattern: Pattern
    let dataPattern: Pattern
}

private struct CompiledTest: Sendable {
    enum Slot: Sendable { case document(Int), data(Int), envelope(String) }
    let slot: Slot
    let matchers: [Matcher]
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

/// What Bellhop knows of an event beside its JSON.
private struct Envelope {
    let event: Event

    init(_ event: Event) { self.event = event }

    func accepts(_ matchers: [Matcher], _ name: String) -> Bool {
        guard var text = self.event.envelope(name) else { return matchers.contains { $0.accepts(nil) } }
        return text.withUTF8 { utf8 in
            let leaf = JSONLeaf(borrowing: UnsafeRawBufferPointer(utf8))
            return matchers.contains { $0.accepts(leaf) }
        }
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
