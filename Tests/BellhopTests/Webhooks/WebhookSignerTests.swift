import BellhopCore
import Testing

@testable import Bellhop

/// Vectors that are published in the tests of the Standard Webhooks libraries, of svix-server, and on docs.github.com.
@Suite struct WebhookSignerTests {
    private static let one = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    private static let two = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
    private static let asymmetric =
        "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg=="

    private func signature(
        _ secrets: [String],
        _ scheme: WebhookSigner.Scheme = .standardWebhooks,
        id: String = "msg_p5jXN8AQM9LWM0D4loKWxJek",
        timestamp: Int64 = 1_614_265_330,
        body: String = #"{"test": 2432232314}"#
    ) throws -> [String] {
        try WebhookSigner(scheme, secrets: secrets.map { Secret($0) })
            .headers(id: id, timestamp: timestamp, body: Bytes(body)).map { "\($0.name): \($0.value.reveal())" }
    }

    @Test func `the published vectors pass`() throws {
        let first = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        #expect(try self.signature([Self.one]) == ["webhook-signature: \(first)"])
        #expect(
            try self.signature(
                [Self.two],
                id: "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk",
                timestamp: 1_649_367_553,
                body: #"{"email":"test@example.com","username":"test_user"}"#
            ) == ["webhook-signature: v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw="]
        )
        #expect(
            try self.signature([Self.asymmetric]) == [
                "webhook-signature: v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg=="
            ]
        )
        #expect(
            try self.signature([Self.one, Self.two]) == [
                "webhook-signature: \(first) v1,78nXHjpFP0tVJQW5D0SBwmVyyW87BV/rL6MgfM/Bw44="
            ]
        )
        #expect(
            try self.signature([Self.one], body: "") == [
                "webhook-signature: v1,v48jdbgvh29KJz2Qc+ghw8G6vG3nAKnujWBg8oM/62A="
            ]
        )
        #expect(
            try self.signature([Self.one], body: #"{"é":"😀"}"#) == [
                "webhook-signature: v1,dGY83JAi5bZ5pMJpvRcHYZGRoDTJh0hj4RSmEmObDxg="
            ]
        )
        #expect(
            try self.signature(["It's a Secret to Everybody"], .github, body: "Hello, World!") == [
                "X-Hub-Signature-256: sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
            ]
        )
    }

    @Test func `a secret may come without its prefix and without padding`() throws {
        let plain = try self.signature([Self.one])
        #expect(try self.signature([String(Self.one.dropFirst(6))]) == plain)
        let padded = "whsec_" + "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGA=="
        #expect(try self.signature([padded]) == self.signature([String(padded.dropLast(2))]))
    }

    @Test(arguments: [
        "", "whsec_", "whsec_short", "whsec_!!!!", "not base64 at all, but long enough for it", "whsk_AAAA",
        "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvw==",
        "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=",
    ]) func `a secret that is none is refused without being told`(secret: String) {
        let error = #expect(throws: WebhookKeyProblem.self) { try self.signature([secret]) }
        #expect(secret.isEmpty || error?.description.contains(secret.dropFirst(5)) == false || secret == "whsec_")
    }

    @Test func `github takes one`() {
        #expect(throws: WebhookKeyProblem.self) { try self.signature(["a", "b"], .github) }
    }
}
