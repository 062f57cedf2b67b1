import BellhopCore
import Crypto
import Foundation

/// Signs what is sent, so that a receiver can tell who sent it.
struct WebhookSigner: Sendable {
    enum Scheme: String, CaseIterable, Sendable {
        /// Standard Webhooks: `v1` with a `whsec_` secret (HMAC-SHA256), `v1a` with a `whsk_` key (ed25519).
        case standardWebhooks = "standard_webhooks"
        /// `X-Hub-Signature-256` (docs.github.com, "Validating webhook deliveries").
        case github
    }

    private enum Key: Sendable {
        case hmac(SymmetricKey)
        case ed25519(Curve25519.Signing.PrivateKey)
    }

    private let scheme: Scheme
    private let keys: [Key]

    /// One key, or several while receivers change from one to another: the signature of each is sent.
    /// - Throws: ``WebhookSignerProblem`` that says what is wrong with a secret, without the secret.
    init(_ scheme: Scheme, secrets: [Secret]) throws(WebhookSignerProblem) {
        self.scheme = scheme
        var keys: [Key] = []
        for secret in secrets { keys.append(try WebhookSigner.key(secret, scheme)) }
        self.keys = keys
        if scheme == .github, keys.count > 1 {
            throw WebhookSignerProblem("the github scheme sends one signature, so it takes one secret")
        }
    }

    /// - `timestamp`: of this attempt, in Unix seconds.
    func headers(id: String, timestamp: Int64, body: Bytes) -> [HTTPHeader] {
        switch self.scheme {
        case .github:
            return self.keys.map { key in
                HTTPHeader("X-Hub-Signature-256", "sha256=" + self.mac(key, [], body).hex)
            }
        case .standardWebhooks:
            let start = Array("\(id).\(timestamp).".utf8)
            let signatures = self.keys.map { key in
                let version = if case .ed25519 = key { "v1a" } else { "v1" }
                return "\(version),\(Data(self.mac(key, start, body)).base64EncodedString())"
            }
            return [HTTPHeader("webhook-signature", signatures.joined(separator: " "))]
        }
    }

    private func mac(_ key: Key, _ start: [UInt8], _ body: Bytes) -> [UInt8] {
        switch key {
        case .hmac(let key):
            var hmac = HMAC<SHA256>(key: key)
            hmac.update(data: start)
            body.withUnsafeBytes { hmac.update(data: $0) }
            return Array(hmac.finalize())
        case .ed25519(let key):
            let message = start + body.withUnsafeBytes { Array($0) }
            // Signing fails only where the system has no randomness, and ed25519 needs none.
            return (try? key.signature(for: message)).map { Array($0) } ?? []
        }
    }

    private static func key(_ secret: Secret, _ scheme: Scheme) throws(WebhookSignerProblem) -> Key {
        let text = secret.reveal()
        guard scheme == .standardWebhooks else { return .hmac(SymmetricKey(data: Data(text.utf8))) }
        if text.hasPrefix("whpk_") {
            throw WebhookSignerProblem("a whpk_ key is the public one, for the receiver; here goes whsk_")
        }
        if text.hasPrefix("whsk_") {
            // Svix writes the seed and the public key behind it, 64 bytes; the seed alone is the key.
            guard let bytes = WebhookSigner.base64(text.dropFirst(5)), bytes.count == 32 || bytes.count == 64,
                let key = try? Curve25519.Signing.PrivateKey(rawRepresentation: bytes.prefix(32)),
                bytes.count == 32 || key.publicKey.rawRepresentation == bytes.dropFirst(32)
            else { throw WebhookSignerProblem("a whsk_ key is base64 of 32 bytes, or of 64 with its public key") }
            return .ed25519(key)
        }
        let encoded = text.hasPrefix("whsec_") ? text.dropFirst(6) : text[...]
        // Standard Webhooks says 24 to 64; Svix hands out up to 75.
        guard let bytes = WebhookSigner.base64(encoded), (24...75).contains(bytes.count) else {
            throw WebhookSignerProblem(
                "a secret is whsec_ and base64 of 24 to 64 random bytes, as 'openssl rand -base64 32' prints it"
            )
        }
        return .hmac(SymmetricKey(data: bytes))
    }

    /// Also without padding, which people lose.
    private static func base64(_ text: Substring) -> Data? {
        let bare = text.prefix { $0 != "=" }
        return Data(base64Encoded: bare + String(repeating: "=", count: (4 - bare.utf8.count % 4) % 4))
    }
}

struct WebhookSignerProblem: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}
