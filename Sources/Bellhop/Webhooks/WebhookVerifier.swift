import BellhopCore
import Crypto
import Foundation

/// Tells whether a webhook comes from who may send it.
package struct WebhookVerifier: Sendable {
    enum Scheme: String, CaseIterable, Sendable {
        /// `webhook-signature` over id, timestamp and body (Standard Webhooks).
        case standardWebhooks = "standard_webhooks"
        /// `X-Hub-Signature-256` (docs.github.com, "Validating webhook deliveries").
        case github
        /// `X-Slack-Signature` (docs.slack.dev, "Verifying requests from Slack").
        case slack
        /// `Stripe-Signature` (docs.stripe.com, "Resolve webhook signature verification errors").
        case stripe
        /// RFC 7617.
        case basic
        /// RFC 6750; also as `?access_token=`, which CloudEvents senders use.
        case bearer
        case none

        var isSigned: Bool { self != .basic && self != .bearer && self != .none }
    }

    /// How far a signed timestamp may be off: what all the schemes' own libraries take.
    static let tolerance: Duration = .seconds(300)

    private static let mismatch = "the signature does not match; is the secret the sender's?"

    let scheme: Scheme
    /// Any of them will do, so that a secret can be changed while both are in use.
    private let keys: [WebhookKey]
    /// Digests of what `Authorization` may hold: comparing these takes the same time whatever was sent.
    private let credentials: [SHA256Digest]

    /// - `secrets`: of a signature; the password of `user`; or bearer tokens.
    ///
    /// - Throws: ``WebhookKeyProblem`` that says what is wrong with a secret, without the secret.
    init(_ scheme: Scheme, secrets: [Secret], user: String = "") throws(WebhookKeyProblem) {
        self.scheme = scheme
        var keys: [WebhookKey] = []
        var credentials: [SHA256Digest] = []
        for secret in secrets {
            switch scheme {
            case .standardWebhooks:
                let key = try WebhookKey(standardWebhooks: secret)
                if case .signing(let key) = key { keys.append(.verifying(key.publicKey)) } else { keys.append(key) }
            case .github, .slack, .stripe: keys.append(WebhookKey(text: secret))
            case .basic: credentials.append(SHA256.hash(data: Data("\(user):\(secret.reveal())".utf8)))
            case .bearer: credentials.append(SHA256.hash(data: Data(secret.reveal().utf8)))
            case .none: break
            }
        }
        (self.keys, self.credentials) = (keys, credentials)
    }

    /// Lets everybody send.
    static let everybody = WebhookVerifier()

    private init() { (self.scheme, self.keys, self.credentials) = (.none, [], []) }

    /// Asks for a token; without one it lets everybody in.
    package static func bearer(_ token: Secret?) -> WebhookVerifier {
        token.flatMap { try? WebhookVerifier(.bearer, secrets: [$0]) } ?? .everybody
    }

    /// What can be told before the body is there.
    /// - Returns: why the request is refused; nil where it may go on.
    package func refusal(of request: InboundRequest, now: Timestamp) -> String? {
        switch self.scheme {
        case .none: nil
        case .basic, .bearer: self.refusal(credentialsOf: request)
        default: self.evidence(in: request, now: now).refusal
        }
    }

    /// - Returns: why the request is refused; nil where it comes from who may send it.
    func refusal(of request: InboundRequest, body: Bytes, now: Timestamp) -> String? {
        guard self.scheme.isSigned else { return self.refusal(of: request, now: now) }
        switch self.evidence(in: request, now: now) {
        case .refused(let reason): return reason
        case .signatures(let signatures, let start):
            let isSigned = self.keys.contains { key in
                // A list without end would be work without end.
                signatures.prefix(20).contains { self.isValid($0, key, start, body) }
            }
            return isSigned ? nil : WebhookVerifier.mismatch
        }
    }

    /// A signature that a header holds.
    private struct Signature {
        let isAsymmetric: Bool
        let bytes: Data
    }

    private enum Evidence {
        /// - `start`: what is signed in front of the body.
        case signatures([Signature], start: [UInt8])
        case refused(String)

        var refusal: String? {
            switch self {
            case .refused(let reason): reason
            case .signatures(let signatures, _): signatures.isEmpty ? WebhookVerifier.mismatch : nil
            }
        }
    }

    private func evidence(in request: InboundRequest, now: Timestamp) -> Evidence {
        switch self.scheme {
        case .standardWebhooks:
            guard let id = request.header("webhook-id"), let time = request.header("webhook-timestamp"),
                let list = request.header("webhook-signature"), !id.isEmpty
            else { return .refused("it is not signed: webhook-id, webhook-timestamp and webhook-signature are needed") }
            if let problem = self.problem(time: time, now: now) { return .refused(problem) }
            let signatures = list.split(separator: " ").compactMap { element -> Signature? in
                let parts = element.split(separator: ",", maxSplits: 1)
                guard parts.count == 2, parts[0] == "v1" || parts[0] == "v1a",
                    let bytes = Data(base64Encoded: String(parts[1]))
                else { return nil }
                return Signature(isAsymmetric: parts[0] == "v1a", bytes: bytes)
            }
            return .signatures(signatures, start: Array("\(id).\(time).".utf8))
        case .github:
            guard let header = request.header("x-hub-signature-256"), header.hasPrefix("sha256=") else {
                return .refused("it is not signed: X-Hub-Signature-256 is needed")
            }
            return .signatures(self.signatures(header.dropFirst(7)), start: [])
        case .slack:
            guard let time = request.header("x-slack-request-timestamp"),
                let header = request.header("x-slack-signature"), header.hasPrefix("v0=")
            else { return .refused("it is not signed: X-Slack-Request-Timestamp and X-Slack-Signature are needed") }
            if let problem = self.problem(time: time, now: now) { return .refused(problem) }
            return .signatures(self.signatures(header.dropFirst(3)), start: Array("v0:\(time):".utf8))
        case .stripe:
            let members = (request.header("stripe-signature") ?? "").split(separator: ",").map {
                $0.split(separator: "=", maxSplits: 1).map { String($0).trimmingSpaces }
            }
            guard let time = members.first(where: { $0.first == "t" && $0.count == 2 })?[1] else {
                return .refused("it is not signed: Stripe-Signature with t and v1 is needed")
            }
            // Stripe's own libraries refuse only what is too old.
            if let problem = self.problem(time: time, now: now, mayBeAhead: true) { return .refused(problem) }
            let signatures = members.filter { $0.count == 2 && $0[0] == "v1" }.flatMap { self.signatures($0[1][...]) }
            return .signatures(signatures, start: Array("\(time).".utf8))
        case .basic, .bearer, .none: return .refused("")
        }
    }

    private func signatures(_ hex: Substring) -> [Signature] {
        guard hex.utf8.count == 64 else { return [] }
        var bytes = Data()
        var rest = hex
        while !rest.isEmpty {
            guard let byte = UInt8(rest.prefix(2), radix: 16) else { return [] }
            bytes.append(byte)
            rest = rest.dropFirst(2)
        }
        return [Signature(isAsymmetric: false, bytes: bytes)]
    }

    private func problem(time: String, now: Timestamp, mayBeAhead: Bool = false) -> String? {
        guard let seconds = Int64(time), time.utf8.allSatisfy({ (48...57).contains($0) }), time.utf8.count <= 12 else {
            return "its timestamp is not in Unix seconds"
        }
        let age = now - Timestamp(seconds: seconds)
        if age > WebhookVerifier.tolerance { return "its timestamp is more than 5 minutes old" }
        if age < .zero - WebhookVerifier.tolerance && !mayBeAhead {
            return "its timestamp is more than 5 minutes ahead; are both clocks right?"
        }
        return nil
    }

    private func isValid(_ signature: Signature, _ key: WebhookKey, _ start: [UInt8], _ body: Bytes) -> Bool {
        switch key {
        case .hmac(let key):
            guard !signature.isAsymmetric else { return false }
            var hmac = HMAC<SHA256>(key: key)
            hmac.update(data: start)
            body.withUnsafeBytes { hmac.update(data: $0) }
            // Takes the same time whatever was sent.
            return hmac.finalize() == signature.bytes
        case .verifying(let key):
            guard signature.isAsymmetric else { return false }
            return key.isValidSignature(signature.bytes, for: start + body.withUnsafeBytes { Array($0) })
        case .signing: return false
        }
    }

    private func refusal(credentialsOf request: InboundRequest) -> String? {
        let header = request.header("authorization") ?? ""
        let parts = header.split(separator: " ", maxSplits: 1).map(String.init)
        let scheme = parts.first?.lowercased()
        var sent: Data?
        if self.scheme == .basic, parts.count == 2, scheme == "basic" {
            sent = WebhookKey.base64(parts[1].trimmingSpaces)
        } else if self.scheme == .bearer, parts.count == 2, scheme == "bearer" {
            sent = Data(parts[1].trimmingSpaces.utf8)
        } else if self.scheme == .bearer, header.isEmpty {
            sent = request.parameter("access_token").map { Data($0.utf8) }
        }
        guard let sent else { return "it says not who sends it: Authorization is needed" }
        let digest = SHA256.hash(data: sent)
        return self.credentials.contains { $0 == digest } ? nil : "its Authorization is none of those configured"
    }
}
