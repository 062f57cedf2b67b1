import BellhopCore
import Crypto
import Foundation

/// A key that signs webhooks, or tells who signed them.
enum WebhookKey: Sendable {
    /// HMAC-SHA256.
    case hmac(SymmetricKey)
    /// ed25519, both halves.
    case signing(Curve25519.Signing.PrivateKey)
    /// ed25519, the half that receivers have.
    case verifying(Curve25519.Signing.PublicKey)

    /// The text itself is the key: GitHub, Slack, Stripe (whose secrets begin with `whsec_` too).
    init(text secret: Secret) { self = .hmac(SymmetricKey(data: Data(secret.reveal().utf8))) }

    /// Standard Webhooks: `whsec_` secrets, `whsk_` and `whpk_` keys.
    /// - Throws: ``WebhookKeyProblem`` that says what is wrong with a secret, without the secret.
    init(standardWebhooks secret: Secret) throws(WebhookKeyProblem) {
        let text = secret.reveal()
        if text.hasPrefix("whpk_") {
            guard let bytes = WebhookKey.base64(text.dropFirst(5)), bytes.count == 32,
                let key = try? Curve25519.Signing.PublicKey(rawRepresentation: bytes)
            else { throw WebhookKeyProblem("a whpk_ key is base64 of 32 bytes") }
            self = .verifying(key)
        } else if text.hasPrefix("whsk_") {
            // Svix writes the seed and the public key behind it, 64 bytes; the seed alone is the key.
            guard let bytes = WebhookKey.base64(text.dropFirst(5)), bytes.count == 32 || bytes.count == 64,
                let key = try? Curve25519.Signing.PrivateKey(rawRepresentation: bytes.prefix(32)),
                bytes.count == 32 || key.publicKey.rawRepresentation == bytes.dropFirst(32)
            else { throw WebhookKeyProblem("a whsk_ key is base64 of 32 bytes, or of 64 with its public key") }
            self = .signing(key)
        } else {
            let encoded = text.hasPrefix("whsec_") ? text.dropFirst(6) : text[...]
            // Standard Webhooks says 24 to 64; Svix hands out up to 75.
            guard let bytes = WebhookKey.base64(encoded), (24...75).contains(bytes.count) else {
                throw WebhookKeyProblem(
                    "a secret is whsec_ and base64 of 24 to 64 random bytes, as 'openssl rand -base64 32' prints it"
                )
            }
            self = .hmac(SymmetricKey(data: bytes))
        }
    }

    /// Also without padding, which people lose.
    static func base64(_ text: some StringProtocol) -> Data? {
        let bare = text.prefix { $0 != "=" }
        return Data(base64Encoded: bare + String(repeating: "=", count: (4 - bare.utf8.count % 4) % 4))
    }
}

struct WebhookKeyProblem: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}
