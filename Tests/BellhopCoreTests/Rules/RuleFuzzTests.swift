import BellhopCore
import BellhopSimulator
import BellhopTesting
import Testing

/// Random rules on random events: what the compiled rules say, with and without the index, is what walking each
/// document says; explanations agree; and nothing crashes, whatever is written.
@Suite(.serialized) struct RuleFuzzTests {
    @Test(arguments: 0..<6 as Range<UInt64>) func `rule sets mean the same however they are evaluated`(
        seed: UInt64
    ) async throws {
        var world = Fuzz(seed: seed)
        var matches = 0
        for _ in 0..<12 {
            let rules = try (0..<world.number(1...40)).map { try world.rule("r\($0)") }
            let linear = RuleEvaluator(RuleSet(rules, indexedFrom: .max))
            let set = RuleSet(rules, indexedFrom: 0)
            let indexed = RuleEvaluator(set)
            for _ in 0..<40 {
                // Others wait for one of two threads.
                await Task.yield()
                let json = world.event()
                let event = Event.stub(id: "e1", json: json)
                let expected = try self.walk(rules, event)
                #expect(try linear.matches(event) == expected, "\(json)")
                #expect(try indexed.matches(event) == expected, "\(json)")
                let explained = try set.explain(event)
                #expect(explained.indices.filter { explained[$0].verdict == .matched } == expected)
                for explanation in explained where explanation.verdict != .matched {
                    if case .failed(let clauses) = explanation.verdict { #expect(!clauses.isEmpty, "\(json)") }
                }
                matches += expected.count
            }
        }
        // Or the test would say nothing.
        #expect(matches > 80)
    }

    /// The meaning of a list of rules, in its plainest form.
    private func walk(_ rules: [Rule], _ event: Event) throws -> [Int] {
        try JSONParser().parse(event.fields) { document in
            func matched(_ otherwise: Bool) -> [Int] {
                var matched: [Int] = []
                for (index, rule) in rules.enumerated()
                where rule.otherwise == otherwise && rule.pattern.matches(document) {
                    matched.append(index)
                    if rule.stop { break }
                }
                return matched
            }
            let found = matched(false)
            return found.isEmpty ? matched(true) : found
        }
    }

    @Test(arguments: 0..<6 as Range<UInt64>) func `any tree is a pattern or refused with a place`(
        seed: UInt64
    ) async throws {
        var world = Fuzz(seed: seed)
        var refused = 0
        for _ in 0..<300 {
            await Task.yield()
            let json = world.anything(depth: 0)
            guard let setting = Setting(json: json) else {
                Issue.record("not JSON: \(json)")
                continue
            }
            let diagnostics = Diagnostics()
            let pattern = PatternReader(diagnostics, zones: .machine).pattern(setting)
            if diagnostics.hasErrors { refused += 1 }
            let event = Event.stub(json: world.event())
            _ = try RuleEvaluator(RuleSet([Rule(name: "r", pattern: pattern, sinks: [])], indexedFrom: 0)).matches(
                event
            )
            _ = RuleReader(sinks: .any, diagnostics).rules([setting])
            _ = RuleTestReader(rules: [], sinks: nil, diagnostics).tests([setting])
            _ = BodyTemplate(setting, zones: .utcOnly, diagnostics)
        }
        #expect(refused > 50)
    }
}

/// Random JSON, patterns and rules over few names and values, so that they often meet.
private struct Fuzz {
    private var random: SeededGenerator

    init(seed: UInt64) { self.random = SeededGenerator(seed: seed) }

    private static let names = ["a", "b", "c", "a.b", "é"]
    private static let texts = [
        "x", "xy", "xyz", "panic-1", "panic-12", "room-7-call", "", "é", "e\u{301}", "10.1.2.3", "2026-03-01T08:00:00Z",
    ]

    mutating func number(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &self.random) }

    private mutating func pick<Element>(_ elements: [Element]) -> Element {
        elements[self.number(0...elements.count - 1)]
    }

    private mutating func scalar() -> String {
        switch self.number(0...9) {
        case 0: self.pick(["1", "1.0", "-7", "300", "1e400", "12345678901234567890", "0"].filter { $0 != "1e400" })
        case 1: "true"
        case 2: "null"
        default: JSONText.string(self.pick(Self.texts))
        }
    }

    mutating func event() -> String { self.object(0) }

    private mutating func object(_ depth: Int) -> String {
        let names = Self.names.shuffled(using: &self.random).prefix(self.number(0...3))
        var members: [(name: String, value: String?)] = []
        for name in names { members.append((name, self.value(depth + 1))) }
        return JSONText.object(members)
    }

    private mutating func value(_ depth: Int) -> String {
        guard depth < 4 else { return self.scalar() }
        switch self.number(0...5) {
        case 0:
            var elements: [String] = []
            for _ in 0..<self.number(0...3) { elements.append(self.value(depth + 1)) }
            return JSONText.array(elements)
        case 1, 2: return self.object(depth)
        default: return self.scalar()
        }
    }

    private mutating func matcher() -> String {
        let text = JSONText.string(self.pick(Self.texts.filter { !$0.isEmpty }))
        switch self.number(0...14) {
        case 0: return #"{"prefix":\#(text)}"#
        case 1: return #"{"suffix":\#(text)}"#
        case 2: return #"{"wildcard":"\#(self.pick(["x*", "*y*", "panic-*", "*-*-call", "room-*-call", "*", "*2"]))"}"#
        case 3: return #"{"equals-ignore-case":\#(text)}"#
        case 4: return #"{"anything-but":\#(text)}"#
        case 5: return #"{"anything-but":{"prefix":\#(text)}}"#
        case 6: return #"{"exists":\#(self.pick(["true", "false"]))}"#
        case 7: return #"{"numeric":[">",0]}"#
        case 8: return #"{"cidr":"10.0.0.0/8"}"#
        case 9: return #"{"regex":"^pan.c-[0-9]$|y"}"#
        case 10: return #"{"after":"2026-01-01T00:00:00Z"}"#
        case 11: return #"{"during":{"days":"mon-sun","hours":"07:00-09:00","zone":"Europe/Berlin"}}"#
        default: return self.scalar()
        }
    }

    private mutating func test(_ depth: Int) -> String {
        if depth < 3, self.number(0...3) == 0 { return self.pattern(depth + 1) }
        var matchers: [String] = []
        for _ in 0..<self.number(1...2) { matchers.append(self.matcher()) }
        return JSONText.array(matchers)
    }

    private mutating func pattern(_ depth: Int) -> String {
        var names = ["a", "b", "c", "é"].shuffled(using: &self.random)
        var members: [(name: String, value: String?)] = []
        for _ in 0..<self.number(1...2) { members.append((names.removeLast(), self.test(depth))) }
        if self.number(0...4) == 0 {
            let left = names.removeLast()
            var branches: [String] = []
            for _ in 0..<self.number(1...3) { branches.append(JSONText.object([(left, self.test(depth + 1))])) }
            members.append(("$or", JSONText.array(branches)))
        }
        return JSONText.object(members)
    }

    mutating func rule(_ name: String) throws -> Rule {
        let json = self.pattern(0)
        let diagnostics = Diagnostics()
        let pattern = PatternReader(diagnostics, zones: .machine).pattern(try #require(Setting(json: json)))
        #expect(!diagnostics.hasErrors, "\(json): \(diagnostics.all.map(\.message))")
        return Rule(
            name: name,
            pattern: pattern,
            otherwise: self.number(0...9) == 0,
            stop: self.number(0...9) == 0,
            sinks: ["s"]
        )
    }

    /// Any tree, with the words of the language strewn in.
    mutating func anything(depth: Int) -> String {
        let words = [
            "prefix", "suffix", "wildcard", "numeric", "exists", "cidr", "during", "regex", "anything-but", "$or", "$x",
            "a.b",
            "a..b", "a\\", "name", "match", "send", "given", "expect", "body", "message", "{{x", "zone", "days",
            "hours", "after",
        ]
        guard depth < 5 else { return self.scalar() }
        switch self.number(0...5) {
        case 0: return self.scalar()
        case 1:
            return JSONText.string(
                self.pick(words + ["[", "(", "a**b", "\\q", ">", "25:00-26:00", "10.0.0.0/99", "{{#a}}"])
            )
        case 2:
            var elements: [String] = []
            for _ in 0..<self.number(0...4) { elements.append(self.anything(depth: depth + 1)) }
            return JSONText.array(elements)
        default:
            var members: [(name: String, value: String?)] = []
            for word in (words + Self.names).shuffled(using: &self.random).prefix(self.number(0...3)) {
                members.append((word, self.anything(depth: depth + 1)))
            }
            return JSONText.object(members)
        }
    }
}
