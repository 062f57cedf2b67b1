import Bellhop
import BellhopCore
import BellhopSimulator
import BellhopTesting
import Foundation
import Testing

/// `bellhop test`, `explain` and `send`, as a person would run them.
@Suite(.timeLimit(.minutes(4))) struct RuleCommandTests {
    private let folder: TemporaryFolder

    init() throws {
        self.folder = try TemporaryFolder()
        try self.folder.write(
            "rules.yaml",
            """
            rules:
              - name: acknowledged
                match: { content.type: acknowledged }
                message: "{{content.device}} took *{{task.name}}*"
                send: [ops]
              - name: fire
                match: { content.type: start, task.name: [fire-alarm, { prefix: panic- }] }
                send: [ops]
              - { name: the-rest, otherwise: true, send: [audit] }
            tests:
              - name: bob answers
                given: [{ content: { type: acknowledged, device: bob }, task: { name: fire-alarm } }]
                expect: [{ rule: acknowledged, sink: ops, message: "bob took *?*" }]
            """
        )
    }

    private func configure(_ url: String) throws {
        try self.folder.write(
            "bellhop.yaml",
            """
            sources: { relay: { kind: relay_pro, subscriber_id: s, api_key: apikey123 } }
            sinks:
              ops: { kind: slack, url: "\(url)/services/T0/B0/verysecret" }
              audit: { kind: file, path: audit.ndjson }
              script: { kind: command, command: [sh, -c, "cat >> told; exit ${CODE:-0}"], environment: { TOKEN: "hush-hush" } }
            rules:
              - rules.yaml
              - { name: scripted, match: { content.type: start }, send: [script] }
            """
        )
    }

    private func run(
        _ words: String...,
        input: String? = nil,
        environment: [String: String] = [:]
    ) async throws
        -> ChildProcess.Result
    {
        try await ChildProcess.run(words, in: self.folder, input: input, environment: environment)
    }

    // MARK: - test

    @Test func `tests that hold end with 0, and rules without one are named`() async throws {
        let result = try await self.run("test", "rules.yaml")
        #expect(result.status == 0, "\(result.errors)")
        #expect(
            result.output == """
                rules.yaml
                  ✔ bob answers
                1 test, all passed
                rules without a test: fire, the-rest

                """
        )
    }

    @Test func `a test that fails shows both texts, ends with 1, and is in JSON and JUnit`() async throws {
        try self.folder.write(
            "rules.yaml",
            self.folder.read("rules.yaml") + """

                  - name: "<wrong> & \\"quoted\\""
                    given: [{ content: { type: acknowledged, device: bob }, task: { name: fire-alarm } }]
                    expect:
                      - { rule: acknowledged, sink: ops, message: "bob left *fire-alarm*" }
                      - { rule: fire, sink: ops }
                """
        )
        let text = try await self.run("test", "rules.yaml")
        #expect(text.status == 1)
        #expect(try Golden.file("cli/test-failure.txt", text.output) == text.output)
        let json = try await self.run("test", "rules.yaml", "--json", "--junit", "results.xml")
        #expect(json.status == 1)
        try JSONParser().parse(Bytes(json.output)) { json in
            #expect(json["passed"]?.leaf.number == .integer(1) && json["failed"]?.leaf.number == .integer(1))
            #expect(json["uncovered"]?.json == #"["the-rest"]"#)
        }
        let xml = self.folder.read("results.xml")
        #expect(try Golden.file("cli/test-failure.xml", xml) == xml)
        let parsed = try await ChildProcess(
            program: "python3",
            ["-c", "import xml.etree.ElementTree as t; print(len(t.parse('results.xml').findall('.//failure')))"],
            in: self.folder
        ).result()
        #expect(parsed.output == "1\n", "\(parsed.errors)")
    }

    @Test(arguments: [
        ("- { name: t, given: [{ advance: 3m }], expect: [] }", "'advance' is not in this version"),
        ("- { name: t, given: [{}], expect: [{ rule: acknowledge, sink: ops }] }", "did you mean 'acknowledged'?"),
        ("- { name: t, given: [{}], expect: [{ rule: fire, sink: ops, mesage: x }] }", "unknown key 'mesage'"),
        ("- { name: t, given: [7], expect: [] }", "'given' lists events"),
        ("- { name: t, given: [{}] }", "needs 'expect'"),
        ("- { name: t, given: [{}], expect: [~] }", "an expected delivery is missing"),
    ])
    func `a mistake in a test is told with its place`(test: String, message: String) async throws {
        try self.folder.write("rules.yaml", self.folder.read("rules.yaml") + "\n  \(test)\n")
        let result = try await self.run("test", "rules.yaml")
        #expect(result.status == 1 && result.errors.contains(message), "\(result.errors)")
        #expect(result.errors.hasPrefix("rules.yaml:14:"), "\(result.errors)")
    }

    @Test func `without tests, or without the file, the answer is no`() async throws {
        try self.folder.write("empty.yaml", "rules: [{ name: a, send: [x] }]")
        let empty = try await self.run("test", "empty.yaml")
        #expect(empty.status == 1 && empty.errors.contains("there are no tests"))
        let missing = try await self.run("test", "nowhere.yaml")
        #expect(missing.status == 1 && missing.errors.contains("there is no rule file or folder nowhere.yaml"))
        let report = try await self.run("test", "rules.yaml", "--junit", "no/such/folder.xml")
        #expect(report.status == 1 && report.errors.contains("cannot write no/such/folder.xml"))
    }

    @Test func `expectations and deliveries are paired whatever their order`() async throws {
        try self.folder.write(
            "rules.yaml",
            """
            rules: [{ name: a, message: "hello {{n}}", send: [ops] }]
            tests:
              - name: the wider one first
                given: [{ n: x }, { n: y }]
                expect: [{ rule: a, sink: ops, message: "hello ?" }, { rule: a, sink: ops, message: "hello x?" }]
              - name: a time that is none
                given: [{ n: x, timestamp: nonsense }]
                expect: [{ rule: a, sink: ops }]
            """
        )
        let result = try await self.run("test", "rules.yaml")
        #expect(
            result.output.contains("✔ the wider one first") && result.output.contains("✘ a time that is none"),
            "\(result.output)"
        )
        #expect(result.output.contains("its 'timestamp' is no time: nonsense"))
    }

    @Test func `pipe knows when events happened`() async throws {
        try self.folder.write(
            "night.yaml",
            "rules: [{ name: night, match: { event.time: [{ during: { hours: 22:00-06:00, zone: UTC } }] } }]"
        )
        let lines = ["{\"timestamp\":\"2026-01-01T23:00:00Z\"}", "{\"timestamp\":\"2026-01-01T12:00:00Z\"}"]
        let result = try await self.run("pipe", "-r", "night.yaml", input: lines.joined(separator: "\n") + "\n")
        #expect(result.status == 0 && result.output == lines[0] + "\n", "\(result.errors)")
    }

    // MARK: - explain

    @Test func `explain says why, rule by rule, and shows the requests without secrets`() async throws {
        try self.configure("http://127.0.0.1:9")
        let event =
            #"{"content":{"type":"start"},"task":{"id":"t1","name":"nurse-call"},"event_id":"e1","timestamp":"2024-08-08T18:25:40Z"}"#
        let result = try await self.run("explain", input: event)
        #expect(result.status == 0, "\(result.errors)")
        #expect(!result.output.contains("verysecret") && !result.output.contains("hush-hush"))
        #expect(try Golden.file("cli/explain.txt", result.output) == result.output)
        try self.folder.write("e.json", event)
        let json = try await self.run("explain", "e.json", "--json")
        try JSONParser().parse(Bytes(json.output)) { json in
            #expect(json["event"]?.leaf.text == "e1")
            var verdicts: [String] = []
            json["rules"]?.forEachElement { rule in
                verdicts.append("\(rule["rule"]?.leaf.text ?? "") \(rule["matched"]?.leaf.text ?? "")")
                return true
            }
            #expect(verdicts == ["acknowledged false", "fire false", "the-rest false", "scripted true"])
        }
    }

    @Test func `keys in rules and commands are masked`() async throws {
        try self.folder.write(
            "bellhop.yaml",
            """
            sources: { relay: { kind: relay_pro, subscriber_id: s, api_key: apikey123 } }
            sinks:
              hook: { kind: webhook, url: "http://127.0.0.1:9/x" }
              script: { kind: command, command: [echo, "--token=${OPS_TOKEN}"] }
            rules: [{ name: a, body: { token: "${OPS_TOKEN}", event: "{{event.id}}" }, send: [hook, script] }]
            """
        )
        let result = try await self.run(
            "explain",
            input: "\u{FEFF}{\"event_id\":\"e1\\u001b]0;x\"}",
            environment: ["OPS_TOKEN": "super\"secret/token"]
        )
        #expect(
            result.status == 0 && !result.output.contains("secret/token") && result.output.contains("--token=<secret>"),
            "\(result.output)"
        )
        #expect(!result.output.contains("\u{1B}"))
        let missing = try await self.run("explain", "nope.json", environment: ["OPS_TOKEN": "super\"secret/token"])
        #expect(missing.status == 1 && missing.errors.contains("there is no file nope.json"))
    }

    @Test(arguments: ["", "nonsense", "[1]", "{\"a\":", String(repeating: "[", count: 50_000)])
    func `what is no event is told`(input: String) async throws {
        try self.configure("http://127.0.0.1:9")
        let result = try await self.run("explain", "-", input: input)
        #expect(result.status == 1 && result.errors.contains("is no event"), "\(result.errors.prefix(500))")
    }

    // MARK: - send

    @Test func `send delivers one event and says what the receiver answered`() async throws {
        let receiver = ReceiverSimulator()
        let server = try await SimulatedServer { receiver.answer($0) }
        try self.configure(server.url)
        let good = try await self.run("send", "ops", "--rule", "acknowledged")
        #expect(good.status == 0 && good.errors.contains("delivered to ops (slack, 127.0.0.1"), "\(good.errors)")
        #expect(receiver.receipts.first?.body == #"{"text":"bellhop test took *test-alert*"}"#)
        receiver.change { $0.body = "no_service" }
        let refused = try await self.run("send", "ops")
        #expect(refused.status == 1 && refused.errors.contains("no_service"), "\(refused.errors)")
        receiver.change { $0.status = 503 }
        let later = try await self.run("send", "ops")
        #expect(later.status == 75 && later.errors.contains("HTTP 503"), "\(later.errors)")
        await server.close()
        let unreachable = try await self.run("send", "ops")
        #expect(unreachable.status == 75 && !unreachable.errors.contains("verysecret"), "\(unreachable.errors)")
    }

    @Test func `send names what is not there, and reaches files and programs`() async throws {
        try self.configure("http://127.0.0.1:9")
        let sink = try await self.run("send", "op")
        #expect(sink.status == 1 && sink.errors.contains("there is no sink 'op'; did you mean 'ops'?"))
        let rule = try await self.run("send", "ops", "--rule", "fir")
        #expect(rule.status == 1 && rule.errors.contains("did you mean 'fire'?"))
        try self.folder.write("e.json", #"{"event_id":"e7"}"#)
        #expect(try await self.run("send", "audit", "e.json").status == 0)
        #expect(self.folder.read("audit.ndjson") == "{\"event_id\":\"e7\"}\n")
        #expect(try await self.run("send", "script", "e.json").status == 0)
        #expect(self.folder.read("told") == #"{"event_id":"e7"}"#)
        #expect(try await self.run("send", "script", "e.json", environment: ["CODE": "65"]).status == 1)
        #expect(try await self.run("send", "script", "e.json", environment: ["CODE": "3"]).status == 75)
    }
}
