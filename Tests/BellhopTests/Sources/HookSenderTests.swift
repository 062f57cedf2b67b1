import BellhopCore
import BellhopTesting
import Testing

@testable import Bellhop

/// What Slack and GitHub send, and who may send at all; and the options.
@Suite(.timeLimit(.minutes(4))) struct HookSenderTests {
    private let hooks = HookBench()

    // MARK: Of senders

    @Test func `Slack's question whether the URL is ours is answered`() async throws {
        let secret = "8f742231b10e8888abcd99yyyzzz85a5"
        let body = #"{"type":"url_verification","challenge":"3eZbrw1aB\"x"}"#
        let signer = try WebhookSigner(.github, secrets: [Secret(secret)])
        let signed = signer.headers(id: "", timestamp: 0, body: Bytes("v0:\(HookBench.now.seconds):\(body)"))[0].value
            .reveal()
        let headers = [
            (name: "content-type", value: "application/json"),
            ("x-slack-request-timestamp", "\(HookBench.now.seconds)"),
            ("x-slack-signature", "v0=\(signed.dropFirst(7))"),
        ]
        let answer = try await self.hooks.serve(#","verify":{"scheme":"slack","secret":"\#(secret)"}"#) {
            await $0.send(to: "/hooks", body, headers: headers)
        }
        #expect(answer?.status == 200 && answer?.body == #"{"challenge":"3eZbrw1aB\"x"}"# && self.hooks.ids == [])
    }

    @Test func `headers that Slack does not sign make no other event of it`() async throws {
        let secret = "8f742231b10e8888abcd99yyyzzz85a5"
        let body = #"{"type":"event_callback","event_id":"Ev1","event_time":1790000000}"#
        let signer = try WebhookSigner(.github, secrets: [Secret(secret)])
        let signed = signer.headers(id: "", timestamp: 0, body: Bytes("v0:\(HookBench.now.seconds):\(body)"))[0].value
            .reveal()
        let own = [
            (name: "content-type", value: "application/json"),
            ("x-slack-request-timestamp", "\(HookBench.now.seconds)"),
            ("x-slack-signature", "v0=\(signed.dropFirst(7))"),
        ]
        try await self.hooks.serve(#","verify":{"scheme":"slack","secret":"\#(secret)"}"#) { listener in
            let forged = [
                [], [(name: "webhook-id", value: "x1")],
                [("ce-specversion", "1.0"), ("ce-id", "x2"), ("ce-source", "/x"), ("ce-type", "t")],
            ]
            for headers in forged {
                #expect(await listener.send(to: "/hooks", body, headers: own + headers)?.status == 202)
            }
        }
        #expect(
            self.hooks.ids == ["Ev1"] && self.hooks.bench.repeats == 2
                && self.hooks.bench.events[0].time == HookBench.now
        )
    }

    @Test(arguments: [
        ("127.0.0.1:8088", 202), ("localhost:8088", 202), ("[::1]:8088", 202), ("10.1.2.3", 202),
        ("evil.example:8088", 403), ("localhost.evil.example", 403), ("", 403),
    ]) func `without verification a name that leads here is no way in`(host: String, status: Int) async throws {
        let headers = [(name: "content-type", value: "application/json"), ("host", host)]
        #expect(try await self.hooks.serve { await $0.send(to: "/hooks", "{}", headers: headers) }?.status == status)
        let sure = headers + [(name: "authorization", value: "Bearer t0ken-one")]
        let verified = try await self.hooks.serve(#","verify":{"scheme":"bearer","token":"t0ken-one"}"#) {
            await $0.send(to: "/hooks", "{}", headers: sure)
        }
        #expect(verified?.status == 202)
    }

    @Test func `GitHub's headers give the id and the kind`() async throws {
        let body = #"{"action":"opened"}"#
        let signer = try WebhookSigner(.github, secrets: [Secret("s3cret-of-github")])
        let signature = signer.headers(id: "", timestamp: 0, body: Bytes(body))[0].value.reveal()
        let headers = [
            (name: "content-type", value: "application/json"), ("x-hub-signature-256", signature),
            ("x-github-delivery", "72d3162e-cc78"), ("x-github-event", "issues"),
        ]
        let answer = try await self.hooks.serve(#","verify":{"scheme":"github","secret":"s3cret-of-github"}"#) {
            await $0.send(to: "/hooks", body, headers: headers)
        }
        #expect(
            answer?.status == 202 && self.hooks.ids == ["72d3162e-cc78"] && self.hooks.bench.events[0].kind == "issues"
        )
    }

    // MARK: Options

    @Test(arguments: [
        (#""listen":"8088""#, "'listen' is a host and a port"), (#""listen":"0.0.0.0:8088""#, "anybody who can reach"),
        (#""listen":"example.org:8088""#, "anybody who can reach"), (#""path":"hooks""#, "'path' begins with a slash"),
        (#""path":"/a b""#, "'path' begins with a slash"), (#""path":"/a\tb""#, "'path' begins with a slash"),
        (#""verify":{"scheme":"githup"}"#, "did you mean 'github'?"),
        (#""verify":{"secret":"x"}"#, "needs 'scheme'"), (#""verify":{"scheme":"github"}"#, "needs 'secret'"),
        (#""verify":{"scheme":"bearer"}"#, "needs 'token'"),
        (#""verify":{"scheme":"basic","secret":"x"}"#, "needs 'user'"),
        (#""verify":{"scheme":"standard_webhooks","secret":"whsec_x"}"#, "a secret is whsec_ and base64"),
        (#""verify":{"scheme":"github","secret":"s","token":"t"}"#, "unknown key 'token'"),
        (#""rate_limit":"often""#, "'rate_limit' is a rate"), (#""max_body":"1""#, "'max_body' is a size"),
    ]) func `mistakes in the options are told`(json: String, message: String) {
        let diagnostics = Diagnostics()
        let options = OptionReader.stub("{\(json)}", diagnostics)
        _ = HooksSource(name: "in", options: options, context: .stub())
        #expect(diagnostics.all.contains { $0.message.contains(message) }, "\(diagnostics.all)")
    }

    @Test func `beyond loopback a scheme is needed, or somebody says that it is not`() {
        for json in [
            #"{"listen":"[::1]:1"}"#, #"{"listen":"127.9.9.9:1"}"#, #"{"listen":"localhost:1"}"#,
            #"{"listen":"0.0.0.0:1","allow_unverified":true}"#,
            #"{"listen":"0.0.0.0:1","verify":{"scheme":"bearer","token":"abcdefgh"}}"#,
        ] {
            let diagnostics = Diagnostics()
            _ = HooksSource(name: "in", options: .stub(json, diagnostics), context: .stub())
            #expect(diagnostics.all.isEmpty, "\(json)")
        }
    }

    @Test func `a mistyped scheme is one mistake, not three`() {
        let diagnostics = Diagnostics()
        let json = #"{"listen":"0.0.0.0:1","verify":{"scheme":"githup","secret":"s"}}"#
        _ = HooksSource(name: "in", options: .stub(json, diagnostics), context: .stub())
        #expect(diagnostics.all.count == 1, "\(diagnostics.all)")
    }

    @Test func `two sources cannot have one path of one address`() {
        let diagnostics = Diagnostics()
        let context = ComponentContext.stub(listener: DirectListener())
        for path in ["/a", "/b", "/a"] {
            _ = HooksSource(name: "in", options: .stub("{\"path\":\"\(path)\"}", diagnostics), context: context)
        }
        #expect(diagnostics.all.map(\.message).count == 1 && diagnostics.all[0].message.hasPrefix("another source has"))
    }

    @Test func `where only what is there is wanted, nothing is waited for`() async throws {
        // Nothing may listen here: it would fail.
        let context = ComponentContext.stub(listener: NoListener(), once: true)
        try await self.hooks.bench.run(HooksSource(name: "in", options: .stub("{}"), context: context))
        #expect(context.tally.current.sources["in"]?.isCaughtUp == true)
    }
}
