import BellhopCore
import BellhopSimulator
import BellhopTesting
import Testing

@Suite struct PatternTests {
    static let event = """
        {"content":{"type":"acknowledged","device":"Zoë","level":7,"ratio":0.5,"ok":true,"none":null,"tags":["red","Blue"],
        "people":[{"name":"bob","floor":1},{"name":"Mary","floor":2}],"empty":[],"mixed":[[1],["deep"]]},
        "task":{"id":"t1","name":"fire-alarm-2"},"a.b":"dot","big":9007199254740993,
        "from":"10.1.2.3","six":"fd00::7","at":"2026-11-21T03:00:00.5+01:00"}
        """

    static let matching = [
        "{}", "null",
        #"{"content.type":"acknowledged"}"#, #"{"content.type":["start","acknowledged"]}"#,
        #"{"content":{"type":["acknowledged"]}}"#, #"{"content.type":"acknowledged","task.name":[{"prefix":"fire-"}]}"#,
        #"{"content.level":7}"#, #"{"content.level":7.0}"#, #"{"content.ratio":[0.5]}"#, #"{"content.ok":true}"#,
        #"{"content.none":null}"#,
        #"{"big":9007199254740993}"#, #"{"a\\.b":"dot"}"#,
        #"{"task.name":[{"prefix":"fire"}]}"#, #"{"task.name":[{"suffix":"-2"}]}"#,
        #"{"task.name":[{"prefix":{"equals-ignore-case":"FIRE"}}]}"#,
        #"{"task.name":[{"suffix":{"equals-ignore-case":"ALARM-2"}}]}"#,
        #"{"content.device":[{"equals-ignore-case":"ZOË"}]}"#,
        #"{"task.name":[{"wildcard":"f*-al*-?"},{"wildcard":"f*-al*-2"}]}"#, #"{"task.name":[{"wildcard":"*"}]}"#,
        #"{"task.name":[{"wildcard":"fire-alarm-2"}]}"#, #"{"task.name":[{"wildcard":"*alarm*"}]}"#,
        #"{"content.type":[{"anything-but":"start"}]}"#, #"{"content.type":[{"anything-but":["start","end",3]}]}"#,
        #"{"content.level":[{"anything-but":[1,"7"]}]}"#, #"{"content.type":[{"anything-but":{"prefix":"st"}}]}"#,
        #"{"task.name":[{"anything-but":{"suffix":["-1","-3"]}}]}"#,
        #"{"task.name":[{"anything-but":{"wildcard":"*x*"}}]}"#,
        #"{"content.type":[{"anything-but":{"equals-ignore-case":"START"}}]}"#,
        #"{"content.level":[{"numeric":[">",5]}]}"#, #"{"content.level":[{"numeric":[">=",7,"<=",7]}]}"#,
        #"{"content.level":[{"numeric":["=",7]}]}"#, #"{"content.level":[{"numeric":["<",7.5]}]}"#,
        #"{"content.type":[{"exists":true}]}"#, #"{"content.nothing":[{"exists":false}]}"#,
        #"{"nothing.at.all":[{"exists":false}]}"#,
        #"{"content.none":[{"exists":true}]}"#, #"{"content":[{"exists":false}]}"#,
        #"{"content.empty":[{"exists":false}]}"#,
        #"{"content.nothing":["x",{"exists":false}]}"#,
        #"{"content.tags":"red"}"#, #"{"content.tags":[{"prefix":"Bl"}]}"#,
        #"{"content.tags":[{"anything-but":"red"}]}"#,
        #"{"content.mixed":"deep"}"#, #"{"content.mixed":1}"#,
        #"{"content.people.name":"Mary"}"#, #"{"content.people":{"name":"Mary","floor":2}}"#,
        #"{"content.people.floor":2,"content.people.name":"Mary"}"#,
        #"{"from":[{"cidr":"10.0.0.0/8"}]}"#, #"{"from":[{"cidr":"10.1.2.3/32"}]}"#,
        #"{"from":[{"cidr":"10.1.2.99/24"}]}"#,
        #"{"from":[{"cidr":"0.0.0.0/0"}]}"#, #"{"six":[{"cidr":"fd00::/8"}]}"#, #"{"six":[{"cidr":"fd00::7/128"}]}"#,
        #"{"at":[{"after":"2026-11-21T02:00:00Z"}]}"#, #"{"at":[{"after":"2026-11-21T02:00:00.5Z"}]}"#,
        #"{"at":[{"before":"2026-11-21T02:00:01Z"}]}"#,
    ]

    static let notMatching = [
        #"{"from":[{"cidr":"10.2.0.0/16"}]}"#, #"{"from":[{"cidr":"fd00::/8"}]}"#,
        #"{"content.type":[{"cidr":"0.0.0.0/0"}]}"#,
        #"{"content.level":[{"cidr":"0.0.0.0/0"}]}"#, #"{"nowhere":[{"cidr":"0.0.0.0/0"}]}"#,
        #"{"at":[{"after":"2026-11-21T02:00:00.6Z"}]}"#, #"{"at":[{"before":"2026-11-21T02:00:00.5Z"}]}"#,
        #"{"content.type":[{"after":"1970-01-01T00:00:00Z"}]}"#,
        #"{"content.level":[{"before":"2100-01-01T00:00:00Z"}]}"#,
        #"{"nowhere":[{"before":"2100-01-01T00:00:00Z"}]}"#,
        #"{"content.type":"start"}"#, #"{"content.type":"Acknowledged"}"#, #"{"content.level":"7"}"#,
        #"{"content.level":8}"#,
        #"{"content.ok":"true"}"#, #"{"content.ok":false}"#, #"{"content.nothing":null}"#,
        #"{"content":"acknowledged"}"#,
        #"{"big":9007199254740992}"#, #"{"a.b":"dot"}"#, #"{"content.device":"Zoe\u0308"}"#,
        #"{"content.type":"acknowledged","task.name":"x"}"#,
        #"{"task.name":[{"prefix":"ire"}]}"#, #"{"task.name":[{"suffix":"-3"}]}"#,
        #"{"content.level":[{"prefix":"7"}]}"#,
        #"{"content.device":[{"equals-ignore-case":"zoe"}]}"#,
        #"{"task.name":[{"wildcard":"fire"}]}"#, #"{"task.name":[{"wildcard":"*alarm"}]}"#,
        #"{"task.name":[{"wildcard":"fire-alarm-2*2"}]}"#,
        #"{"content.type":[{"anything-but":"acknowledged"}]}"#, #"{"content.nothing":[{"anything-but":"x"}]}"#,
        #"{"content.level":[{"anything-but":[7]}]}"#, #"{"content.type":[{"anything-but":{"prefix":["st","ack"]}}]}"#,
        #"{"content.level":[{"numeric":[">",7]}]}"#, #"{"content.type":[{"numeric":[">",0]}]}"#,
        #"{"content.level":[{"numeric":["=",7.5]}]}"#,
        #"{"content.type":[{"exists":false}]}"#, #"{"content.nothing":[{"exists":true}]}"#,
        #"{"content":[{"exists":true}]}"#,
        #"{"content.empty":[{"exists":true}]}"#, #"{"content.tags":"green"}"#,
        #"{"content.people":{"name":"Mary","floor":1}}"#, #"{"content.people.name":"Mary","content.people.floor":1}"#,
    ]

    static let refused = [
        "[]", "7", #"{"content.type":[]}"#, #"{"content":{}}"#, #"{"task.name":{"prefix":"x"}}"#,
        #"{"task.name":[{"prefx":"x"}]}"#,
        #"{"task.name":[{"prefix":7}]}"#, #"{"task.name":[{"prefix":""}]}"#,
        #"{"task.name":[{"prefix":"a","suffix":"b"}]}"#,
        #"{"task.name":[["x"]]}"#, #"{"task.name":[{"wildcard":"a**b"}]}"#, #"{"task.name":[{"wildcard":"a\\b"}]}"#,
        #"{"n":[{"numeric":[]}]}"#, #"{"n":[{"numeric":[">"]}]}"#, #"{"n":[{"numeric":[">","5"]}]}"#,
        #"{"n":[{"numeric":["<",1,"<",2]}]}"#,
        #"{"n":[{"numeric":[">",5,"<",5]}]}"#, #"{"n":[{"numeric":["~",5]}]}"#, #"{"n":[{"numeric":["=",5,"<",6]}]}"#,
        #"{"n":[{"exists":"yes"}]}"#, #"{"n":[{"anything-but":[]}]}"#, #"{"n":[{"anything-but":{"numeric":[">",5]}}]}"#,
        #"{"n":[{"anything-but":[["x"]]}]}"#, #"{"n":[{"cidr":"10.0.0.0/33"}]}"#, #"{"n":[{"cidr":"10.0.0"}]}"#,
        #"{"n":[{"cidr":["10.0.0.0/8"]}]}"#,
        #"{"n":[{"after":"yesterday"}]}"#, #"{"n":[{"before":7}]}"#, #"{"n":[{"after":"2026-02-30T00:00:00Z"}]}"#,
        #"{"$or":[]}"#, #"{"a..b":1}"#,
        #"{"a\\x":1}"#,
        #"{"a.b":1,"a":{"b":2}}"#, #"{"a":1,"a.b":2}"#, #"{"a.b":1,"a":2}"#,
    ]

    private static func pattern(_ json: String) throws -> (Pattern, Diagnostics) {
        let diagnostics = Diagnostics()
        let setting = try #require(Setting(json: json))
        return (PatternReader(diagnostics).pattern(setting), diagnostics)
    }

    /// Asks the compiled rule set and the walk over the document, which must agree.
    private static func matches(_ json: String) throws -> Bool {
        let (pattern, diagnostics) = try self.pattern(json)
        #expect(diagnostics.all.isEmpty, "\(json): \(diagnostics.all)")
        let walked = try JSONParser().parse(Bytes(self.event)) { pattern.matches($0) }
        let evaluator = RuleEvaluator(RuleSet([Rule(name: "r", pattern: pattern, sinks: [])]))
        let compiled = try !evaluator.matches(.stub(json: self.event)).isEmpty
        #expect(walked == compiled, "\(json)")
        return compiled
    }

    @Test(arguments: matching) func `the event has the shape`(json: String) throws {
        #expect(try Self.matches(json), "\(json)")
    }

    @Test(arguments: notMatching) func `the event does not have the shape`(json: String) throws {
        #expect(try !Self.matches(json), "\(json)")
    }

    @Test(arguments: [
        (#"{"event.time":[{"after":"2024-08-08T18:25:40Z"}]}"#, true),
        (#"{"event.time":[{"after":"2024-08-08T18:25:41Z"}]}"#, false),
        (#"{"event.time":[{"before":"2024-08-08T18:25:41Z"}]}"#, true),
        (#"{"event.time":[{"before":"2024-08-08T18:25:40Z"}]}"#, false),
    ]) func `an event's own time is compared too`(json: String, holds: Bool) throws {
        let (pattern, diagnostics) = try Self.pattern(json)
        #expect(diagnostics.all.isEmpty)
        let evaluator = RuleEvaluator(RuleSet([Rule(name: "r", pattern: pattern, sinks: [])]))
        #expect(try evaluator.matches(.stub(time: Timestamp(seconds: 1_723_141_540))).isEmpty != holds)
    }

    @Test(arguments: refused) func `a mistake is an error with its place, never a pattern that does not match`(
        json: String
    ) throws {
        let (_, diagnostics) = try Self.pattern(json)
        #expect(diagnostics.hasErrors, "\(json)")
    }

    @Test func `an operator in a field's place is shown as it should be`() throws {
        let (_, diagnostics) = try Self.pattern(#"{"task.name":{"prefix":"x"}}"#)
        #expect(diagnostics.all.first?.message.contains("[{ prefix: … }]") == true)
    }

    @Test func `random patterns and documents: the compiled rules agree with the walk, and nothing crashes`() throws {
        var random = SeededGenerator(seed: 7)
        let names = ["a", "b", "c"]
        func document(_ depth: Int) -> String {
            switch Int.random(in: 0..<(depth > 3 ? 5 : 9), using: &random) {
            case 0: return "1"
            case 1: return "\"x\""
            case 2: return "\"xy\""
            case 3: return "null"
            case 4: return "true"
            case 5:
                return "["
                    + (0..<Int.random(in: 0...3, using: &random)).map { _ in document(depth + 1) }.joined(
                        separator: ","
                    ) + "]"
            default:
                let members = names.shuffled(using: &random).prefix(2).map { "\"\($0)\":\(document(depth + 1))" }
                return "{" + members.joined(separator: ",") + "}"
            }
        }
        func pattern(_ depth: Int) -> String {
            let leaves = [
                "1", "[\"x\",null]", "[{\"prefix\":\"x\"}]", "[{\"exists\":false}]", "[{\"exists\":true}]",
                "[{\"anything-but\":\"x\"}]", "[{\"numeric\":[\">\",0]}]", "true",
            ]
            if depth > 2 || Bool.random(using: &random) { return leaves.randomElement(using: &random) ?? "1" }
            let members = names.shuffled(using: &random).prefix(Int.random(in: 1...2, using: &random))
            return "{" + members.map { "\"\($0)\":\(pattern(depth + 1))" }.joined(separator: ",") + "}"
        }
        var agreed = 0
        for _ in 0..<3000 {
            let rule = "{\"a\":\(pattern(1))}"
            let event = "{\"a\":\(document(1)),\"b\":\(document(1))}"
            let (parsed, diagnostics) = try Self.pattern(rule)
            #expect(!diagnostics.hasErrors, "\(rule)")
            let walked = try JSONParser().parse(Bytes(event)) { parsed.matches($0) }
            let evaluator = RuleEvaluator(RuleSet([Rule(name: "r", pattern: parsed, sinks: [])]))
            let compiled = try !evaluator.matches(.stub(json: event)).isEmpty
            #expect(walked == compiled, "\(rule) on \(event)")
            if walked { agreed += 1 }
        }
        // Or the test would say nothing.
        #expect(agreed > 100 && agreed < 2900)
    }
}
