import Bellhop
import BellhopCore
import BellhopTesting
import Foundation
import Testing

@Suite struct ConfigurationTests {
    private let folder: TemporaryFolder
    private static let environment = [
        "RELAY_SUBSCRIBER_ID": "sub", "RELAY_API_KEY": "k3y",
        "SLACK_WEBHOOK_URL": "https://hooks.slack.com/services/T/B/X",
    ]

    init() throws { self.folder = try TemporaryFolder() }

    /// Reads a configuration; places come back as `line:column`.
    private func read(
        _ yaml: String,
        _ environment: [String: String] = Self.environment
    ) throws -> (Configuration?, [String]) {
        let path = try self.folder.write("bellhop.yaml", yaml)
        let reader = ConfigurationReader(environment: environment)
        let configuration = reader.configuration(file: path) { folder, _ in .stub(folder: folder) }
        return (
            configuration, reader.diagnostics.all.map { $0.description.replacing("\(self.folder.path)/", with: "") }
        )
    }

    static let good = """
        sources:
          relay: { kind: relay_pro, subscriber_id: "${RELAY_SUBSCRIBER_ID}", api_key: "${RELAY_API_KEY}" }
        sinks:
          audit: { kind: file, path: ./audit.ndjson }
        rules:
          - { name: all, send: audit }
        """

    @Test func `a small configuration is enough`() throws {
        let (configuration, messages) = try self.read(Self.good)
        let loaded = try #require(configuration, "\(messages)")
        #expect(messages == [])
        #expect(loaded.sources.map(\.address) == ["api.relaypro.com"])
        #expect(loaded.sinks.map(\.address) == ["\(self.folder.path)/audit.ndjson"])
        #expect(loaded.dataFolder == "\(self.folder.path)/data" && loaded.retention == .default)
    }

    @Test func `every mistake is told at once, with its place and the nearest key`() throws {
        try self.folder.write(
            "rules/a.yaml",
            "rules:\n  - name: a\n    match:\n      task.name: { prefix: x }\n    send: [ops, adit]\n"
        )
        let (configuration, messages) = try self.read(
            """
            data_dri: ./data
            sources:
              relay:
                kind: relay_pro
                subscriber_id: s
                api_key: ${NOT_SET}
                pol_interval: 5s
                page_limit: 500
              other: { kind: rely_pro }
            sinks:
              ops: { kind: slack, url: hooks.slack.com/x, timeout: soon }
              audit: { kind: file }
              bad name: { kind: stdout }
            rules: [rules/, nowhere/]
            admin: { listen: 0.0.0.0:8080, tokn: x }
            """
        )
        #expect(configuration == nil)
        let expected = [
            "bellhop.yaml:1:1: error: unknown key 'data_dri' in the configuration; did you mean 'data_dir'?",
            "bellhop.yaml:6:14: error: the environment variable NOT_SET is not set; set it, or write ${NOT_SET:-default}",
            "bellhop.yaml:7:5: error: unknown key 'pol_interval' in source 'relay' (relay_pro); did you mean 'poll_interval'?",
            "bellhop.yaml:8:17: error: 'page_limit' is a whole number from 1 to 100, not '500' (source 'relay' (relay_pro))",
            "bellhop.yaml:9:18: error: there is no source of kind 'rely_pro'; did you mean 'relay_pro'?",
            "bellhop.yaml:11:28: error: 'url': a URL begins with https:// or http:// (sink 'ops' (slack))",
            "bellhop.yaml:11:56: error: 'timeout' is a duration like 500ms, 10s, 5m, 2h or 7d, not 'soon' (sink 'ops' (slack))",
            "bellhop.yaml:12:10: error: sink 'audit' (file) needs 'path': the file to append to",
            "bellhop.yaml:13:3: error: 'bad name' is no name; use letters, digits, '-', '_' and '.', at most 64",
            "bellhop.yaml:14:17: error: there is no rule file or folder nowhere/",
            "bellhop.yaml:15:18: error: others can reach 0.0.0.0:8080, so 'admin' needs a 'token' there, like \"${ADMIN_TOKEN}\"",
            "bellhop.yaml:15:32: error: unknown key 'tokn' in 'admin' of the configuration; did you mean 'token'?",
            "rules/a.yaml:4:20: error: 'prefix' is an operator and stands in a list: write [{ prefix: … }] "
                + "(a field of that name is written with a dotted key)",
            "rules/a.yaml:5:17: error: there is no sink 'adit'; did you mean 'audit'? (a rule)",
        ]
        for line in expected {
            #expect(messages.contains { $0.replacing("\(self.folder.path)/", with: "") == line }, "missing: \(line)")
        }
        if messages.count != expected.count { Issue.record("\(messages.joined(separator: "\n"))") }
    }

    @Test(arguments: [
        ("a: [1", "bellhop.yaml:"), ("a: 1\na: 2", "stands twice"), ("- 1", "is a mapping of options"),
        ("", "needs 'sources'"),
        ("\t", "not valid YAML"), ("a: \u{0}", "not valid YAML"),
    ])
    func `what is no configuration is refused with a place`(yaml: String, message: String) throws {
        let (configuration, messages) = try self.read(yaml)
        #expect(configuration == nil)
        #expect(messages.contains { $0.contains(message) }, "\(messages)")
    }

    @Test func `only true, false, null and plain decimal numbers have a type`() throws {
        let setting = try #require(
            ConfigurationReader(environment: [:]).setting(
                "[on, no, 2024-08-08, 1:30, 007, 0x10, 1_000, .inf, '7', \"true\", 7, -1.5, true, ~]"
            )
        )
        let elements = try #require(setting.elements)
        for element in elements.prefix(10) {
            guard case .string = element.value else {
                Issue.record("\(element)")
                continue
            }
        }
        guard case .number = elements[10].value, case .number = elements[11].value, case .bool = elements[12].value,
            elements[13].isNull
        else {
            Issue.record("\(elements)")
            return
        }
    }

    @Test(arguments: [
        ("${A}", "1"), ("x${A}y${B:-d}", "x1yd"), ("${E:-d}", "d"), ("${E}", ""), ("$${A}", "${A}"), ("$A", "$A"),
        ("${B:-a:b}", "a:b"),
    ])
    func `variables are expanded inside values`(text: String, expected: String) throws {
        let reader = ConfigurationReader(environment: ["A": "1", "E": ""])
        #expect(reader.setting("[\"\(text)\"]")?.elements?.first?.text == expected)
        #expect(reader.diagnostics.all.isEmpty)
    }

    @Test(arguments: [
        ("${B}", "B is not set"), ("${A", "never closed"), ("${A B}", "is no variable"), ("${}", "is no variable"),
        ("${file:/nowhere/x}", "/nowhere/x cannot be read"),
    ])
    func `what cannot be expanded is named`(text: String, message: String) {
        let reader = ConfigurationReader(environment: ["A": "1"])
        _ = reader.setting("[\"\(text)\"]")
        #expect(reader.diagnostics.all.contains { $0.message.contains(message) })
    }

    @Test func `a value cannot change the structure, and a file gives its text`() throws {
        let path = try self.folder.write("secret", "s3cret\n")
        let reader = ConfigurationReader(environment: ["A": "x\nevil: true, [}"])
        let setting = try #require(reader.setting("a: \"${A}\"\nb: ${file:\(path)}"))
        #expect(setting.members?.map(\.key) == ["a", "b"])
        #expect(setting.members?.last?.setting.text == "s3cret")
    }

    @Test func `no secret is in what a configuration prints`() throws {
        let (configuration, _) = try self.read(
            Self.good.replacing(
                "audit: {",
                with: "ops: { kind: slack, url: \"${SLACK_WEBHOOK_URL}\", headers: { X-Key: k3y } }\n  audit: {"
            ).replacing("send: audit", with: "send: [ops, audit]")
        )
        let loaded = try #require(configuration)
        var dumped = ""
        dump(loaded.sinks, to: &dumped)
        #expect(!dumped.contains("services/T/B/X") && !dumped.contains("k3y"))
        var sources = ""
        dump(loaded.sources, to: &sources)
        #expect(!sources.contains("k3y"))
    }

    @Test(arguments: [
        (
            "match: { content.tpe: start }",
            "no event of the configured sources is known to have the field content.tpe; did you mean 'content.type'?"
        ),
        ("match: { tasks.name: x }", "is known to have the field tasks.name; did you mean 'task.name'?"),
        ("message: \"{{content.devise}}\"", "{{content.devise}} is not known to be a field of the configured sources"),
        (
            "message: \"{{event.nmae}}\"",
            "{{event.nmae}} is always empty: there is no such field; event has id, source, time"
        ),
        ("message: \"{{rule.title}}\"", "there is rule.name"),
        ("body: { a: [\"{{{lifecycle.acks}}}\"] }", "the life cycle comes later"),
    ])
    func `a field that no event is known to have is warned about`(line: String, message: String) throws {
        let (configuration, messages) = try self.read(
            Self.good.replacing("rules:\n  -", with: "rules:\n  - { name: odd, send: audit, \(line) }\n  -")
        )
        #expect(configuration != nil)
        #expect(messages.contains { $0.contains(message) && $0.contains("warning") }, "\(messages)")
    }

    @Test(arguments: [
        "match: { content.anything: 1 }",
        "message: \"{{content.room.floor}} {{#task}}{{name}}{{/task}} {{event.data.task.id}}\"",
        "match: { task.task_type.name: alerts }",
    ])
    func `fields that events may have are not`(line: String) throws {
        let (_, messages) = try self.read(
            Self.good.replacing("rules:\n  -", with: "rules:\n  - { name: odd, send: audit, \(line) }\n  -")
        )
        #expect(messages == [])
    }

    @Test func `a body that a chat would not use is warned about, and a lifecycle pattern refused`() throws {
        let chat = Self.good.replacing(
            "audit: {",
            with: "ops: { kind: discord, url: \"https://discord.com/x\" }\n  audit: {"
        )
        .replacing("rules:\n  -", with: "rules:\n  - { name: odd, send: [ops, audit], body: { a: 1 } }\n  -")
        let (_, messages) = try self.read(chat)
        #expect(messages.contains { $0.contains("the sink 'ops' (discord) does not use") }, "\(messages)")
        let (configuration, refused) = try self.read(
            Self.good.replacing(
                "rules:\n  -",
                with: "rules:\n  - { name: odd, send: audit, match: { lifecycle.acks: 1 } }\n  -"
            )
        )
        #expect(configuration == nil && refused.contains { $0.contains("is not in this version") })
    }

    @Test func `what init writes is without fault`() throws {
        try self.folder.write("rules/alerts.yaml", Scaffold.rules)
        let (configuration, messages) = try self.read(Scaffold.configuration)
        #expect(configuration != nil && messages == [])
    }

    @Test(arguments: Sources.all.map { $0.kind }) func `the reference names every option and is without fault`(
        kind: String
    ) throws {
        let type = try #require(Sources.all.first { $0.kind == kind })
        try ReferenceCheck.run(type) { reader in _ = type.init(name: "s", options: reader, context: .stub()) }
    }

    @Test func `docs/reference.md is current`() throws {
        let path = #filePath.replacing(
            "Tests/BellhopTests/Configuration/ConfigurationTests.swift",
            with: "docs/reference.md"
        )
        if ProcessInfo.processInfo.environment["BELLHOP_REWRITE"] != nil {
            try Data(Reference.text.utf8).write(to: URL(fileURLWithPath: path))
        }
        let written = FileManager.default.contents(atPath: path).map { String(decoding: $0, as: UTF8.self) }
        #expect(written == Reference.text, "run: BELLHOP_REWRITE=1 swift test --filter 'docs/reference.md'")
    }
}
