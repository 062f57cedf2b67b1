import BellhopCore
import Testing

@testable import Bellhop

@Suite struct WebhookVerifierTests {
    // shared/facts/webhooks.md §1: published by standard-webhooks, Svix, GitHub and Slack; Stripe's by hand.
    private static let v1Secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    private static let v2Secret = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
    private static let publicKey = "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4="
    private static let privateKey =
        "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg=="
    private static let symmetric = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    private static let asymmetric =
        "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg=="

    private func refusal(
        _ scheme: WebhookVerifier.Scheme,
        _ secrets: [String],
        user: String = "",
        at seconds: Int64 = 1_614_265_330,
        body: String = "{\"test\": 2432232314}",
        query: String = "",
        _ headers: KeyValuePairs<String, String>
    ) throws -> String? {
        let verifier = try WebhookVerifier(scheme, secrets: secrets.map { Secret($0) }, user: user)
        let request = InboundRequest(method: "POST", query: query, headers: headers.map { ($0.key, $0.value) }) {
            () async throws(InboundAnswer) -> Bytes in Bytes(body)
        }
        let now = Timestamp(seconds: seconds)
        return verifier.refusal(of: request, now: now) ?? verifier.refusal(of: request, body: Bytes(body), now: now)
    }

    private func standard(
        _ signatures: String,
        _ secrets: [String] = [v1Secret],
        id: String = "msg_p5jXN8AQM9LWM0D4loKWxJek",
        time: String = "1614265330",
        at seconds: Int64 = 1_614_265_330,
        body: String = "{\"test\": 2432232314}"
    ) throws -> String? {
        try self.refusal(
            .standardWebhooks,
            secrets,
            at: seconds,
            body: body,
            ["webhook-id": id, "webhook-timestamp": time, "webhook-signature": signatures]
        )
    }

    @Test func `standard webhooks: one of the signatures must match one of the keys`() throws {
        #expect(try self.standard(Self.symmetric) == nil)
        #expect(try self.standard(Self.symmetric, [Self.v2Secret, Self.v1Secret]) == nil)
        let wrong = "v1,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc="
        #expect(try self.standard("\(wrong) v2,\(wrong.dropFirst(3)) \(Self.symmetric) \(wrong)") == nil)
        #expect(try self.standard(Self.asymmetric, [Self.publicKey]) == nil)
        #expect(try self.standard(Self.asymmetric, [Self.privateKey]) == nil)
        #expect(try self.standard("\(Self.asymmetric) \(Self.symmetric)", [Self.v1Secret]) == nil)
    }

    @Test(arguments: [
        "v1,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc=", "v1,", "v1", "", "v1,g0hM9SsE+OTPJTGt", "v1,!!!",
        "v2,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", "v1a,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
        "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", ",g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    ]) func `standard webhooks: anything else is refused`(signature: String) throws {
        #expect(try self.standard(signature)?.contains("does not match") == true)
    }

    @Test func `standard webhooks: id, time and body are signed`() throws {
        #expect(try self.standard(Self.symmetric, id: "msg_other") != nil)
        #expect(try self.standard(Self.symmetric, time: "1614265331") != nil)
        #expect(try self.standard(Self.symmetric, body: "{\"test\": 2432232315}") != nil)
        #expect(try self.standard(Self.symmetric, [Self.v2Secret]) != nil)
        // An asymmetric signature is none of an HMAC key, and the other way round.
        #expect(try self.standard(Self.asymmetric, [Self.v1Secret]) != nil)
        #expect(try self.standard(Self.symmetric, [Self.publicKey]) != nil)
    }

    @Test func `a signed time may be five minutes off, for Stripe only backwards`() throws {
        let signed: Int64 = 1_614_265_330
        #expect(try self.standard(Self.symmetric, at: signed + 300) == nil)
        #expect(try self.standard(Self.symmetric, at: signed + 301)?.contains("old") == true)
        #expect(try self.standard(Self.symmetric, at: signed - 300) == nil)
        #expect(try self.standard(Self.symmetric, at: signed - 301)?.contains("ahead") == true)
        for time in ["", "soon", "1614265330.5", "+1614265330", "99999999999999999999"] {
            #expect(try self.standard(Self.symmetric, time: time)?.contains("Unix seconds") == true, "\(time)")
        }
    }

    @Test func `github signs the body alone`() throws {
        func check(_ header: String) throws -> String? {
            let secret = ["It's a Secret to Everybody"]
            return try self.refusal(.github, secret, body: "Hello, World!", ["x-hub-signature-256": header])
        }
        let digest = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
        #expect(try check("sha256=\(digest)") == nil)
        #expect(try check("sha256=\(digest.uppercased())") == nil)
        #expect(try check("sha256=\(digest.dropLast(1))8") != nil)
        #expect(try check("sha256=\(digest.dropLast(2))") != nil)
        #expect(try check("sha256=\(digest.dropLast(2))+7") != nil)
        #expect(try check("sha1=\(digest)")?.contains("not signed") == true)
        #expect(try self.refusal(.github, ["s"], [:])?.contains("X-Hub-Signature-256") == true)
    }

    @Test func `slack signs version, time and body`() throws {
        let body =
            "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
        func check(_ signature: String, at seconds: Int64 = 1_531_420_618) throws -> String? {
            try self.refusal(
                .slack,
                ["8f742231b10e8888abcd99yyyzzz85a5"],
                at: seconds,
                body: body,
                ["x-slack-request-timestamp": "1531420618", "x-slack-signature": signature]
            )
        }
        let signature = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"
        #expect(try check(signature) == nil)
        #expect(try check(signature, at: 1_531_420_918) == nil)
        #expect(try check(signature, at: 1_531_420_919) != nil)
        #expect(try check(signature.replacing("a2", with: "a3")) != nil)
        #expect(try check("v1=" + signature.dropFirst(3)) != nil)
    }

    @Test func `stripe signs time and body with the secret as it is written`() throws {
        // stripe-python tests/test_webhook.py, DUMMY_WEBHOOK_PAYLOAD.
        let body = "{\n  \"id\": \"evt_test_webhook\",\n  \"object\": \"event\"\n}"
        func check(_ header: String, at seconds: Int64 = 1_614_265_330) throws -> String? {
            try self.refusal(.stripe, ["whsec_test_secret"], at: seconds, body: body, ["stripe-signature": header])
        }
        let signer = try WebhookSigner(.github, secrets: [Secret("whsec_test_secret")])
        let signed = signer.headers(id: "", timestamp: 0, body: Bytes("1614265330.\(body)"))[0].value.reveal()
        let hex = signed.dropFirst("sha256=".count)
        #expect(try check("t=1614265330,v1=\(hex)") == nil)
        #expect(try check("t=1614265330,v1=\(String(repeating: "0", count: 64)),v1=\(hex),v0=abc") == nil)
        #expect(try check("t=1614265330,v1=\(hex)", at: 1_614_265_630) == nil)
        #expect(try check("t=1614265330,v1=\(hex)", at: 1_614_265_631) != nil)
        #expect(try check("t=1614265330,v1=\(hex)", at: 1_600_000_000) == nil)
        #expect(try check("t=1614265331,v1=\(hex)") != nil)
        #expect(try check("t=1614265330,v0=\(hex)") != nil)
        for header in ["", "v1=\(hex)", "t,v1=\(hex)", "junk"] { #expect(try check(header) != nil, "\(header)") }
    }

    @Test func `basic and bearer compare the whole credentials`() throws {
        // RFC 7617 §2.
        func basic(_ header: String) throws -> String? {
            try self.refusal(.basic, ["open sesame", "older"], user: "Aladdin", ["authorization": header])
        }
        #expect(try basic("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==") == nil)
        #expect(try basic("bAsIc QWxhZGRpbjpvcGVuIHNlc2FtZQ") == nil)
        for wrong in ["Basic QWxhZGRpbjpvcGVu", "Basic", "", "Bearer QWxhZGRpbjpvcGVuIHNlc2FtZQ==", "Basic !"] {
            #expect(try basic(wrong) != nil, "\(wrong)")
        }
        func bearer(_ header: String?, query: String = "") throws -> String? {
            let headers: KeyValuePairs = ["authorization": header ?? ""]
            return try self.refusal(.bearer, ["t/ken+1"], query: query, headers)
        }
        #expect(try bearer("Bearer t/ken+1") == nil)
        #expect(try bearer("Bearer t/ken") != nil)
        #expect(try bearer(nil) != nil)
        #expect(try bearer(nil, query: "a=b&access_token=t%2Fken%2B1") == nil)
        #expect(try bearer("Bearer wrong", query: "access_token=t%2Fken%2B1") != nil)
    }

    @Test func `what is no key says so without showing it`() throws {
        for secret in ["whsec_", "short", "whpk_abc", "whsk_abc"] {
            let error = #expect(throws: WebhookKeyProblem.self) {
                try WebhookVerifier(.standardWebhooks, secrets: [Secret(secret)])
            }
            #expect(error?.description.contains("abc") == false)
        }
    }
}
