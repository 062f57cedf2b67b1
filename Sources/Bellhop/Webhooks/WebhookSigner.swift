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

    private let scheme: Scheme
    private let keys: [WebhookKey]

    /// One key, or several while receivers change from one to another: the signature of each is sent.
    /// - Throws: ``WebhookKeyProblem`` that says what is wrong with a secret, without the secret.
    init(_ scheme: Scheme, secrets: [Secret]) throws(WebhookKeyProblem) {
        self.scheme = scheme
        var keys: [WebhookKey] = []
        for secret in secrets {
            let key = try scheme == .github ? WebhookKey(text: secret) : WebhookKey(standardWebhooks: secret)
            if case .verifying = key {
                throw WebhookKeyProblem("a whpk_ key is the public one, for the receiver; here goes whsk_")
            }
            keys.append(key)
        }
        self.keys = keys
        if scheme == .github, keys.count > 1 {
            throw WebhookKeyProblem("the github scheme sends one signature, so it takes one secret")
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
                let version = if case .hmac = key { "v1" } else { "v1a" }
                return "\(version),\(Data(self.mac(key, start, body)).base64EncodedString())"
            }
            return [HTTPHeader("webhook-signature", signatures.joined(separator: " "))]
        }
    }

    private func mac(_ key: WebhookKey, _ start: [UInt8], _ body: Bytes) -> [UInt8] {
        switch key {
        case .hmac(let key):
            var hmac = HMAC<SHA256>(key: key)
            hmac.update(data: start)
            body.withUnsafeBytes { hmac.update(data: $0) }
            return Array(hmac.finalize())
        case .signing(let key):
            let message = start + body.withUnsafeBytes { Array($0) }
            // Signing fails only where the system has no randomness, and ed25519 needs none.
            return (try? key.signature(for: message)).map { Array($0) } ?? []
        case .verifying: return []
        }
    }
}
