import BellhopTesting
import Testing

@testable import BellhopCore

@Suite struct RuleSetTests {
    private func rule(
        _ name: String,
        _ pattern: String = "{}",
        otherwise: Bool = false,
        stop: Bool = false
    ) throws -> Rule {
        let diagnostics = Diagnostics()
        let pattern = PatternReader(diagnostics).pattern(try #require(Setting(json: pattern)))
        #expect(!diagnostics.hasErrors)
        return Rule(name: name, pattern: pattern, otherwise: otherwise, stop: stop, sinks: ["s"])
    }

    private func matched(_ rules: [Rule], _ event: Event) throws -> [String] {
        try RuleEvaluator(RuleSet(rules)).matches(event).map { rules[$0].name }
    }

    @Test func `every rule sees every event`() throws {
        let rules = [
            try self.rule("one"), try self.rule("two", #"{"content.type":"start"}"#), try self.rule("no", #"{"x":1}"#),
        ]
        #expect(try self.matched(rules, .stub()) == ["one", "two"])
    }

    @Test func `stop ends the list for an event it matches`() throws {
        let rules = [
            try self.rule("first", #"{"content.type":"start"}"#, stop: true), try self.rule("second"),
            try self.rule("rest", otherwise: true),
        ]
        #expect(try self.matched(rules, .stub()) == ["first"])
        #expect(try self.matched(rules, .stub(json: "{}")) == ["second"])
    }

    @Test func `otherwise takes what no other rule matched, wherever it stands`() throws {
        let rules = [try self.rule("rest", otherwise: true), try self.rule("start", #"{"content.type":"start"}"#)]
        #expect(try self.matched(rules, .stub()) == ["start"])
        #expect(try self.matched(rules, .stub(json: #"{"content":{"type":"end"}}"#)) == ["rest"])
    }

    @Test func `patterns see Bellhop's own names, and event data reaches what they hide`() throws {
        let event = Event(
            source: "relay",
            id: "e1",
            time: Timestamp(seconds: 0),
            data: Bytes(#"{"event":{"id":"inner"},"content":"{\"type\":\"start\"}"}"#),
            normalized: Bytes(#"{"event":{"id":"inner"},"content":{"type":"start"}}"#)
        )
        let yes = [
            #"{"event.id":"e1"}"#, #"{"event.source":[{"prefix":"re"}]}"#,
            #"{"event.time":"1970-01-01T00:00:00.000000Z"}"#,
            #"{"event.data.event.id":"inner"}"#, #"{"content.type":"start"}"#,
            #"{"event.data.content":[{"prefix":"{"}]}"#,
            #"{"event.nothing":[{"exists":false}]}"#,
        ]
        let no = [#"{"event.id":"inner"}"#, #"{"event.data.content.type":"start"}"#, #"{"event.source":"other"}"#]
        for pattern in yes { #expect(try self.matched([self.rule("r", pattern)], event) == ["r"], "\(pattern)") }
        for pattern in no { #expect(try self.matched([self.rule("r", pattern)], event) == [], "\(pattern)") }
    }

    @Test(arguments: [
        (#"{"event":["foo"]}"#, #"{"event":["bar"]}"#, false), (#"{"event":["foo"]}"#, #"{"event":["foo"]}"#, true),
        (#"{"tags":{"x":[1]},"event":["foo"]}"#, #"{"tags":[{"x":1}],"event":"bar"}"#, false),
        (#"{"tags":{"x":[1]},"event":["foo"]}"#, #"{"tags":[{"x":1}],"event":"foo"}"#, true),
    ])
    func `a field of the event called event is one`(pattern: String, json: String, matches: Bool) throws {
        #expect(try self.matched([self.rule("r", pattern)], .stub(json: json)) == (matches ? ["r"] : []))
    }

    @Test func `for one event each slot of the index is visited once, and each branch found once`() {
        let candidates = Candidates(branches: 3, slots: 2)
        for _ in 0..<2 {
            candidates.begin()
            #expect(candidates.visit(1) && !candidates.visit(1) && candidates.visit(0) && !candidates.visit(1))
            for branch: Int32 in [2, 0, 2, 2] { candidates.add(branch) }
            #expect(candidates.count == 2 && candidates[0] == 2 && candidates[1] == 0)
        }
    }

    @Test func `fields that stand twice count as their last value, as the walk sees them`() throws {
        let event = Event.stub(json: #"{"content":{"type":"start","device":"bob"},"content":{"type":"end"}}"#)
        #expect(
            try self.matched([self.rule("r", #"{"content.type":"end","content.device":[{"exists":false}]}"#)], event)
                == ["r"]
        )
    }
}

@Suite struct RuleReaderTests {
    private func read(
        _ json: String,
        sinks: RuleReader.SinkNames = .known(["ops", "audit"])
    ) throws -> ([Rule], [String]) {
        let diagnostics = Diagnostics()
        let rules = RuleReader(sinks: sinks, diagnostics).rules(try #require(Setting(json: json)?.elements))
        return (rules, diagnostics.all.map(\.message))
    }

    @Test func `a whole rule is read`() throws {
        let (rules, messages) = try self.read(
            #"[{"name":"a","match":{"x":1},"message":"{{x}}","title":"t","send":["ops","audit"],"stop":true}]"#
        )
        #expect(messages == [])
        let rule = try #require(rules.first)
        #expect(rule.name == "a" && rule.stop && !rule.otherwise && rule.sinks == ["ops", "audit"])
        #expect(rule.message?.fields.map(\.path) == [FieldPath(["x"])])
    }

    @Test(arguments: [
        (#"[{"match":{}, "send":["ops"]}]"#, "needs 'name'"),
        (#"[{"name":"a","send":["opps"]}]"#, "did you mean 'ops'?"),
        (#"[{"name":"a"}]"#, "needs 'send'"),
        (#"[{"name":"a","send":[]}]"#, "'send' is empty"),
        (#"[{"name":"a","send":["ops","ops"]}]"#, "stands twice"),
        (#"[{"name":"a","send":"ops","mach":{}}]"#, "unknown key 'mach'"),
        (#"[{"name":"a","send":"ops","message":"{{x"}]"#, "never closed"),
        (#"[{"name":"a","send":"ops","message":"{{#x}}"}]"#, "never closed"),
        (#"[{"name":"a","send":"ops","unless":{}}]"#, "not in this version"),
        (#"[{"name":"a","send":"ops"},{"name":"a","send":"ops"}]"#, "second rule"),
        (#"[{"name":"a","send":"ops","otherwise":"yes"}]"#, "true or false"),
        (#"[{"name":"a","send":"ops","match":{"rule.name":"a"}}]"#, "is the rule itself"),
        (#"[{"name":"a","send":"ops","match":{"event.data":[{"exists":true}]}}]"#, "name a field of it"),
        (
            #"[{"name":"a","send":"ops","match":{"event.nmae":"x"}}]"#,
            "the field event.nmae is not there in any event; event has id"
        ),
    ])
    func `a mistake is told`(json: String, message: String) throws {
        let (_, messages) = try self.read(json)
        #expect(messages.contains { $0.contains(message) }, "\(messages)")
    }

    @Test func `without sinks, send does not matter`() throws {
        let (rules, messages) = try self.read(#"[{"name":"a"},{"name":"b","send":["whatever"]}]"#, sinks: .none)
        #expect(messages == [] && rules.count == 2)
    }
}
