import BellhopCore
import BellhopTesting
import Testing

/// The language of patterns, from the public documentation of EventBridge and event-ruler and from Bellhop's own:
/// `Tests/Fixtures/patterns.json`, a case a line.
@Suite struct PatternFixtureTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let name: String
        let pattern: String
        let event: String
        /// Nil where the pattern must be refused.
        let matches: Bool?
        /// A word of the refusal.
        let error: String

        var testDescription: String { self.name }
    }

    static let cases: [Case] = {
        let text = (try? Golden.fixture("patterns.json")) ?? "[]"
        var cases: [Case] = []
        try? JSONParser().parse(Bytes(text)) { json in
            json.forEachElement { element in
                cases.append(
                    Case(
                        name: element["name"]?.leaf.text ?? "?",
                        pattern: element["pattern"]?.json ?? "null",
                        event: element["event"]?.json ?? "{}",
                        matches: element["matches"]?.leaf.bool,
                        error: element["error"]?.leaf.text ?? ""
                    )
                )
                return true
            }
        }
        return cases
    }()

    @Test func `there are enough cases`() {
        #expect(Self.cases.count >= 150)
        #expect(Set(Self.cases.map(\.name)).count == Self.cases.count)
    }

    @Test(arguments: cases) func `a pattern means what its documentation says`(item: Case) throws {
        let diagnostics = Diagnostics()
        let setting = try #require(Setting(json: item.pattern))
        let pattern = PatternReader(diagnostics, zones: .machine).pattern(setting)
        let messages = diagnostics.all.map(\.message)
        guard let matches = item.matches else {
            #expect(diagnostics.hasErrors && messages.contains { $0.contains(item.error) }, "\(messages)")
            return
        }
        #expect(messages == [])
        try JSONParser().parse(Bytes(item.event)) { #expect(pattern.matches($0) == matches) }
        // Compiled, asked one by one and through the index, it means the same.
        let rule = Rule(name: "r", pattern: pattern, sinks: ["s"])
        for rules in [RuleSet([rule]), RuleSet([rule], indexedFrom: 0)] {
            #expect(try RuleEvaluator(rules).matches(.stub(json: item.event)) == (matches ? [0] : []))
        }
    }
}
