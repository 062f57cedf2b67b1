import BellhopCore
import BellhopSimulator
import BellhopTesting
import Bellhop
import Foundation
import Testing

/// A random secret in every place that takes one, and a receiver that repeats everything it is sent.
@Suite(.timeLimit(.minutes(4))) struct SecretTests {
    private let folder: TemporaryFolder

    init() throws { self.folder = try TemporaryFolder() }

    /// Letters only: nothing makes it look like a key.
    private static func random() -> String {
        String((0..<24).map { _ in "abcdefghijklmnopqrstuvwxyz".randomElement() ?? "a" })
    }

    private static let places = [
        "api_key", "slack_path", "hook_path", "hook_query", "bearer", "header_file", "proxy_password", "github_secret",
        "dead_path", "dead_user_query", "routing_key", "bot_token", "genie_key", "ntfy_token", "command_argument",
        "command_variable", "body_key", "hook_token",
    ]

    @Test func `no secret is in any output, log or file`() async throws {
        var secrets = Dictionary(uniqueKeysWithValues: Self.places.map { ($0, Self.random()) })
        secrets["signing_secret"] = Data((0..<32).map { _ in UInt8.random(in: 0...255) }).base64EncodedString()
        var settings = RelayProSimulator.Settings()
        settings.events = 12
        settings.apiKey = secrets["api_key"] ?? ""
        let api = RelayProSimulator(settings, now: { SystemClock().now() })
        let apiServer = try await SimulatedServer { api.answer($0) }
        // An error page as chatty as any.
        let echo = try await SimulatedServer { request in
            let query = request.query.map { "\($0)=\($1)" }.joined(separator: "&")
            let headers = request.headers.map { "\($0.name): \($0.value)" }.joined(separator: "\n")
            return SimulatedAnswer(
                status: request.path.contains("retry") ? 503 : 404,
                body: "no hook at \(request.path)?\(query)\n\(headers)\n<a href=\"http://127.0.0.1\(request.path)\">"
            )
        }
        try self.folder.write("secret-file", (secrets["header_file"] ?? "") + "\n")
        let retry = "retry: { base: 20ms, cap: 50ms, give_up_after: 300ms }, circuit_breaker: { probe_every: 100ms }"
        try self.folder.write(
            "bellhop.yaml",
            """
            sources:
              relay: { kind: relay_pro, subscriber_id: s, api_key: "${api_key}", base_url: "\(apiServer.url)" }
              inbox: { kind: hooks, verify: { scheme: bearer, token: "${hook_token}" } }
            sinks:
              oncall: { kind: pagerduty, base_url: "\(echo.url)", routing_key: "${routing_key}", rate_limit: none }
              bot: { kind: telegram, base_url: "\(echo.url)", bot_token: "${bot_token}", chat_id: "7", rate_limit: none }
              genie: { kind: opsgenie, base_url: "\(echo.url)", api_key: "${genie_key}" }
              push: { kind: ntfy, base_url: "\(echo.url)", topic: t, token: "${ntfy_token}", rate_limit: none }
              script:
                kind: command
                command: [/bin/sh, -c, "echo $0 $VARIABLE >&2; exit 65", "${command_argument}"]
                environment: { VARIABLE: "${command_variable}" }
              ops: { kind: slack, url: "\(echo.url)/services/${slack_path}", rate_limit: none }
              hook:
                kind: webhook
                url: "\(echo.url)/${hook_path}?key=${hook_query}"
                signing_secret: ["whsec_${signing_secret}"]
                headers: { Authorization: "Bearer ${bearer}", X-Token: "${file:\(self.folder.path)/secret-file}" }
              git: { kind: webhook, url: "\(echo.url)/x", signing_scheme: github, signing_secret: "${github_secret}" }
              dead: { kind: webhook, url: "http://127.0.0.1:1/${dead_path}?u=${dead_user_query}", \(retry) }
              proxied: { kind: webhook, url: "http://nowhere.invalid/retry", proxy: "http://me:${proxy_password}@127.0.0.1:1", \(retry) }
              flaky: { kind: webhook, url: "\(echo.url)/retry/${hook_path}", \(retry) }
            rules:
              - { name: all, send: [oncall, bot, genie, push, script, ops, hook, git, dead, proxied, flaky] }
              - { name: shaped, body: { key: "${body_key}" }, send: [git] }
            """
        )
        var outputs = ""
        func run(_ arguments: String..., wrong: String? = nil) async throws {
            var environment = secrets
            if let wrong { environment["api_key"] = wrong }
            let result = try await ChildProcess.run(arguments, in: self.folder, environment: environment)
            outputs += "\n\(arguments)\n\(result.output)\n\(result.errors)"
        }
        try await run("check")
        try await run("run", "--once", "--log-level", "trace", "--log-format", "json")
        let wrong = Self.random()
        secrets["wrong key"] = wrong
        try await run("run", "--once", "--log-level", "trace", wrong: wrong)
        try await run("deliveries", "list", "--json")
        try await run("dead-letters", "list")
        for id in 1...12 { try await run("deliveries", "show", "\(id)") }
        for id in api.ids.prefix(2) { try await run("why", id) }
        try await run("rejected", "list")
        try self.folder.write("event.json", "{\"event_id\":\"x\"}")
        try await run("explain", "event.json")
        for sink in ["oncall", "bot", "genie", "push", "script", "git"] { try await run("send", sink) }
        // The test itself: everything was sent, refused and told.
        #expect(
            outputs.contains("no hook at <secret>") && outputs.contains("given up after") && outputs.contains("401")
        )
        #expect(outputs.contains("cannot connect"))
        var files = Data()
        for name in try FileManager.default.contentsOfDirectory(atPath: "\(self.folder.path)/data") {
            files += FileManager.default.contents(atPath: "\(self.folder.path)/data/\(name)") ?? Data()
        }
        #expect(files.count > 10_000)
        for (place, secret) in secrets {
            #expect(!outputs.contains(secret), "\(place) is in the output")
            #expect(files.range(of: Data(secret.utf8)) == nil, "\(place) is in the spool")
            // Nor the half of it, which a cut may leave.
            #expect(!outputs.contains(secret.prefix(12)), "the start of \(place) is in the output")
            #expect(files.range(of: Data(secret.prefix(12).utf8)) == nil, "the start of \(place) is in the spool")
        }
        await apiServer.close()
        await echo.close()
    }

    @Test func `a proxy of the environment is not asked unless somebody says so`() async throws {
        let receiver = ReceiverSimulator()
        let server = try await SimulatedServer { receiver.answer($0) }
        var settings = RelayProSimulator.Settings()
        settings.events = 5
        let api = RelayProSimulator(settings, now: { SystemClock().now() })
        let apiServer = try await SimulatedServer { api.answer($0) }
        let asked = ReceiverSimulator()
        let proxy = try await SimulatedServer { asked.answer($0) }
        func write(_ option: String) throws {
            try self.folder.write(
                "bellhop.yaml",
                """
                sources: { relay: { kind: relay_pro, subscriber_id: s, api_key: apikey123, base_url: "\(apiServer.url)" } }
                sinks: { hook: { kind: webhook, url: "\(server.url)"\(option) } }
                rules: [{ name: all, send: hook }]
                """
            )
        }
        let environment = [
            "http_proxy": proxy.url, "HTTP_PROXY": proxy.url, "ALL_PROXY": proxy.url, "all_proxy": proxy.url,
        ]
        try write("")
        let direct = try await ChildProcess.run(["run", "--once"], in: self.folder, environment: environment)
        #expect(direct.status == 0 && receiver.accepted == api.ids.count && asked.requests == 0, "\(direct.errors)")
        try FileManager.default.removeItem(atPath: "\(self.folder.path)/data")
        try write(", proxy: environment")
        let proxied = try await ChildProcess.run(["run", "--once"], in: self.folder, environment: environment)
        #expect(proxied.status == 0 && asked.accepted == api.ids.count, "\(proxied.errors)")
        for server in [server, apiServer, proxy] { await server.close() }
    }
}
