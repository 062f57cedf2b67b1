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
    private let rate: Rate?
    private let limiter: Mutex<RateLimiter>?
    private let refusals: RefusalLog

    init(
        verifier: WebhookVerifier,
        reader: HookReader,
        rate: Rate?,
        origins: [String],
        commit: GroupCommit,
        clock: any WallClock,
        logger: Logger
    ) {
        self.verifier = verifier
        self.reader = reader
        self.rate = rate
        self.limiter = rate.map { Mutex(RateLimiter($0)) }
        self.origins = origins
        self.commit = commit
        self.clock = clock
        self.refusals = RefusalLog(logger)
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
            self.refusals.note("not stored: \(error)", now: self.clock.now())
            return InboundAnswer(
                problem: 503,
                "it could not be stored just now; send it again",
                headers: [("retry-after", "5")]
            )
        }
    }

    private func take(_ request: InboundRequest) async throws -> InboundAnswer {
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
        return InboundAnswer(
            202,
            body: JSONText.object([("accepted", "\(reading.events.count)"), ("rejected", rejected)])
        )
    }

    private func check(_ refusal: String?) throws {
        guard let refusal else { return }
        self.refusals.note(refusal, now: self.clock.now())
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

/// Says why requests are refused without letting those who send them fill the log.
private final class RefusalLog: Sendable {
    private static let interval: Duration = .seconds(60)

    private struct State {
        var told = Timestamp.distantPast
        var untold = 0
    }

    private let logger: Logger
    private let state = Mutex(State())

    init(_ logger: Logger) { self.logger = logger }

    func note(_ reason: String, now: Timestamp) {
        let count = self.state.withLock { state -> Int? in
            state.untold += 1
            guard now - state.told >= RefusalLog.interval || now < state.told else { return nil }
            defer { state = State(told: now) }
            return state.untold
        }
        guard let count else { return }
        self.logger.warning(
            "requests are refused",
            metadata: [LogKeys.reason: "\(reason)", LogKeys.count: "\(count)"]
        )
    }
}
