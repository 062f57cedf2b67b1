import Bellhop
import BellhopTesting
import Foundation
import Testing

@Suite(.timeLimit(.minutes(4))) struct CommandTests {
    private let folder: TemporaryFolder

    init() throws { self.folder = try TemporaryFolder() }

    private func run(
        _ arguments: String...,
        input: String? = nil,
        environment: [String: String] = [:]
    ) async throws -> ChildProcess.Result {
        try await ChildProcess.run(arguments, in: self.folder, input: input, environment: environment)
    }

    @Test func `init writes what check then finds without fault, and never writes over anything`() async throws {
        #expect(try await self.run("init").status == 0)
        let environment = [
            "RELAY_SUBSCRIBER_ID": "s", "RELAY_API_KEY": "k",
            "SLACK_WEBHOOK_URL": "https://hooks.slack.com/services/T/B/X",
        ]
        let check = try await self.run("check", environment: environment)
        #expect(check.status == 0 && check.errors == "")
        #expect(
            check.output == """
                source\trelay\trelay_pro\tapi.relaypro.com
                sink\tops\tslack\thooks.slack.com
                sink\taudit\tfile\taudit.ndjson
                rule\tacknowledged\tmatch\t→ ops, audit
                rule\tnobody-came\tmatch\t→ ops, audit
                rule\tthe-rest\totherwise\t→ audit
                bellhop.yaml is fine: the spool would be in data

                """
        )
        let again = try await self.run("init")
        #expect(again.status == 1 && again.errors.contains("is there already"))
    }

    @Test func `check names unset variables with their places and exits with 1`() async throws {
        _ = try await self.run("init")
        let check = try await self.run("check")
        #expect(check.status == 1)
        #expect(
            check.errors.contains("bellhop.yaml:9:20: error: the environment variable RELAY_SUBSCRIBER_ID is not set"),
            "\(check.errors)"
        )
        #expect(check.errors.split(separator: "\n").count == 3)
    }

    @Test func `without a configuration the way to one is told`() async throws {
        for command in ["run", "check", "deliveries"] {
            let result = try await self.run(command)
            #expect(result.status == 1 && result.errors.contains("'bellhop init' writes one"))
        }
    }

    @Test func `the version comes from git, and usage errors exit with 64`() async throws {
        #expect(try await self.run("--version").output.hasPrefix("0.1.0 ("))
        for arguments in [
            ["nonsense"], ["pipe"], ["deliveries", "list", "--state", "odd"], ["simulate", "receiver", "--fail", "x"],
        ] {
            #expect(try await ChildProcess.run(arguments, in: self.folder).status == 64, "\(arguments)")
        }
    }

    @Test func `pipe is a filter that names bad lines and exits with 1`() async throws {
        try self.folder.write("r.yaml", "rules:\n  - name: a\n    match: { content.type: acknowledged }\n")
        let yes = "{\"content\": {\"type\":\"acknowledged\"}}\n"
        let clean = try await self.run("pipe", "-r", "r.yaml", input: yes + "{\"content\":{}}\n\n" + yes)
        #expect(clean.status == 0 && clean.output == yes + yes && clean.errors == "")
        let bad = try await self.run("pipe", "-r", "r.yaml", input: yes + "oops\n")
        #expect(bad.status == 1 && bad.output == yes && bad.errors.contains("line 2 is not valid JSON"))
        let wrong = try await self.run("pipe", "-r", "nowhere.yaml")
        #expect(wrong.status == 1 && wrong.errors.contains("no rule file or folder nowhere.yaml"))
    }

    @Test func `the shipped rules and configuration are without fault`() async throws {
        let root = #filePath.replacing("/Tests/BellhopCLITests/CommandTests.swift", with: "")
        let check = try await self.run("check", "-c", "\(root)/bellhop.example.yaml")
        #expect(check.status == 0 && check.errors == "")
    }

    @Test func `a data folder that cannot be written is named with what to do`() async throws {
        try self.folder.write("file", "")
        try self.folder.write(
            "bellhop.yaml",
            """
            data_dir: file/data
            sources: { relay: { kind: relay_pro, subscriber_id: s, api_key: k, base_url: "http://127.0.0.1:1" } }
            sinks: { screen: { kind: stdout } }
            rules: [{ name: all, send: screen }]
            """
        )
        let result = try await self.run("run", "--once")
        #expect(
            result.status == 1 && result.errors.contains("cannot write file/data")
                && result.errors.contains("set another 'data_dir'"),
            "\(result.errors)"
        )
    }
}
