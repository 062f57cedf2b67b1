import BellhopCore
import Logging
import Synchronization

/// Answers the requests to a `hooks` source: who may send, what is understood, and 202 once it is on disk.
final class HookDesk: Sendable {
    private let verifier: WebhookVerifier
    private let reader: HookReader
    private let origins: [String]
    private let commit: GroupCommit
    private let clock: any WallClock
    /// Only this machine may send, and nobody says who does.
    private let isForThisMachine: Bool
    private let rate: Rate?
    private let limiter: Mutex<RateLimiter>?
    private let logger: Logger
    /// Apart, so that who may not send cannot hide that the disk is full.
    private let refusals = Mutex(LogThrottle())
    private let failures = Mutex(LogThrottle())

    init(
        verifier: WebhookVerifier,
        reader: HookReader,
        isForThisMachine: Bool,
        rate: Rate?,
        origins: [String],
        commit: GroupCommit,
        clock: any WallClock,
        logger: Logger
    ) {
        self.verifier = verifier
        self.reader = reader
        self.isForThisMachine = isForThisMachine
        self.rate = rate
        self.limiter = rate.map { Mutex(RateLimiter($0)) }
        self.origins = origins
        self.commit = commit
        self.clock = clock
        self.logger = logger
    }

    func answer(_ request: InboundRequest) async -> InboundAnswer {
        do {
            switch request.method {
            case "POST": return try await self.take(request)
            case "OPTIONS": return self.handshake(request)
            default:
                let allowed = [(name: "allow", value: "POST, OPTIONS")]
                return InboundAnswer(problem: 405, "events are posted here", headers: allowed)
            }
        } catch let answer as InboundAnswer {
            return answer
        } catch {
            let count = self.failures.withLock { $0.note(now: self.clock.now()) }
            if let count {
                self.logger.error(
                    "events cannot be stored; their senders are told to come again",
                    metadata: [LogKeys.reason: "\(error)", LogKeys.count: "\(count)"]
                )
            }
            return InboundAnswer(
                problem: 503,
                "it could not be stored just now; send it again",
                headers: [("retry-after", "5")]
            )
        }
    }

    private func take(_ request: InboundRequest) async throws -> InboundAnswer {
        if self.isForThisMachine, !self.namesThisMachine(request) {
            throw InboundAnswer(problem: 403, "without 'verify' only this machine may send, to an address or localhost")
        }
        let mode = try self.reader.mode(of: request)
        // Before the body: who may not send at all costs no memory.
        try self.check(self.verifier.refusal(of: request, now: self.clock.now()))
        let body = try await request.body()
        let now = self.clock.now()
        try self.check(self.verifier.refusal(of: request, body: body, now: now))
        try self.keepRate(now)
        guard !body.isEmpty || mode.cloud == .binary else { throw InboundAnswer(problem: 400, "the body is empty") }
        if self.verifier.scheme == .slack, let answer = self.slackChallenge(body) { return answer }
        let reading = try self.reader.read(request, mode, body, now: now)
        // What cannot be read is kept for a person too: to its sender it is the end.
        try await self.commit.commit(reading.events, reading.rejected)
        if reading.events.isEmpty, let first = reading.rejected.first {
            throw InboundAnswer(problem: 400, first.reason)
        }
        let rejected = reading.rejected.isEmpty ? nil : "\(reading.rejected.count)"
        // RFC 6750 §2.3: the token stands in the URL.
        let isInQuery = self.verifier.scheme == .bearer && request.header("authorization") == nil
        return InboundAnswer(
            202,
            headers: isInQuery ? [("cache-control", "no-store")] : [],
            body: JSONText.object([("accepted", "\(reading.events.count)"), ("rejected", rejected)])
        )
    }

    /// Web pages reach a loopback address by a name of their own that leads there; this is not one.
    private func namesThisMachine(_ request: InboundRequest) -> Bool {
        guard let host = request.header("host") ?? request.header(":authority") else { return true }
        let name = (ListenAddress(host) ?? ListenAddress("\(host):0"))?.host
        return name.map { $0 == "localhost" || IPAddress($0) != nil } ?? false
    }

    private func check(_ refusal: String?) throws {
        guard let refusal else { return }
        if let count = self.refusals.withLock({ $0.note(now: self.clock.now()) }) {
            self.logger.warning(
                "requests are refused",
                metadata: [LogKeys.reason: "\(refusal)", LogKeys.count: "\(count)"]
            )
        }
        let challenge: [(name: String, value: String)] =
            switch self.verifier.scheme {
            case .basic: [("www-authenticate", "Basic realm=\"bellhop\", charset=\"UTF-8\"")]
            case .bearer: [("www-authenticate", "Bearer realm=\"bellhop\""), ("cache-control", "no-store")]
            default: []
            }
        throw InboundAnswer(problem: 401, refusal, headers: challenge)
    }

    private func keepRate(_ now: Timestamp) throws {
        let next = self.limiter?.withLock { limiter in
            let next = limiter.next(now: now)
            if next == nil { limiter.take(now: now) }
            return next
        }
        guard let next, let rate = self.rate else { return }
        let seconds = max(1, Int(((next - now).inSeconds).rounded(.up)))
        throw InboundAnswer(
            problem: 429,
            "no more than \(rate) requests are taken here",
            headers: [("retry-after", "\(seconds)")]
        )
    }

    /// Slack sends one to make sure that the URL is ours (docs.slack.dev, "url_verification").
    private func slackChallenge(_ body: Bytes) -> InboundAnswer? {
        let challenge = try? JSONParser().parse(body) { json in
            json["type"]?.leaf.string == "url_verification" ? json["challenge"]?.leaf.string : nil
        }
        return (challenge ?? nil).map { challenge in
            InboundAnswer(200, body: JSONText.object(["challenge": JSONText.string(challenge)]))
        }
    }

    /// What CloudEvents senders ask before they send (github.com/cloudevents/spec, http-webhook.md §4).
    private func handshake(_ request: InboundRequest) -> InboundAnswer {
        let allow = (name: "allow", value: "POST, OPTIONS")
        guard let origin = request.header("webhook-request-origin"), !origin.isEmpty, origin.utf8.count < 256,
            origin.utf8.allSatisfy({ $0 > 32 && $0 < 127 }),
            self.origins.contains(where: { $0 == "*" || $0.lowercased() == origin.lowercased() })
        else { return InboundAnswer(200, headers: [allow]) }
        // Requests per minute.
        let perMinute = self.rate.map { max(1, Int(Double($0.count) * 60 / $0.period.inSeconds)) }
        return InboundAnswer(
            200,
            headers: [
                allow, ("webhook-allowed-origin", origin), ("webhook-allowed-rate", perMinute.map(String.init) ?? "*"),
            ]
        )
    }
}
