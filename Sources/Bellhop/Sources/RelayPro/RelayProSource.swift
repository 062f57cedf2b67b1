import BellhopCore
import Logging

/// Polls the events of Relay Pro devices (developer.relaypro.com, "Events"). Polling is the only way there is.
package struct RelayProSource: Source {
    package static let kind = "relay_pro"
    package static let reference = """
        # Polls the Relay Pro events API.
        kind: relay_pro
        subscriber_id: ${RELAY_SUBSCRIBER_ID}  # Relay Dash: Help > Server Details > Subscriber
        api_key: ${RELAY_API_KEY}              # issued by Relay
        base_url: https://api.relaypro.com
        auth_scheme: RelayApiKey               # the word before the key in the Authorization header
        poll_interval: 5s                      # when caught up; catching up does not wait
        start_from: 7d                         # how far back the very first run begins
        overlap: 2m                            # read again at each poll, for events that show up late
        page_limit: 100                        # the API gives no more than 100
        timeout: 30s                           # for one request
        \(HTTPRoute.reference)
        """

    package let name: String
    package var address: String { self.url.host }

    private let url: HTTPURL
    private let baseURL: String
    private let subscriber: String
    private let authorization: HTTPHeader
    private let pollInterval: Duration
    private let timeout: Duration
    private let route: HTTPRoute
    private let settings: RelayWalk.Settings
    private let context: ComponentContext
    private let logger: Logger

    package init(name: String, options: OptionReader, context: ComponentContext) {
        self.name = name
        self.context = context
        var logger = context.logger
        logger[metadataKey: LogKeys.source] = "\(name)"
        self.logger = logger
        self.subscriber = options.requiredString(
            "subscriber_id",
            "on the Relay Dash under Help > Server Details > Subscriber"
        )
        let key = options.requiredSecret("api_key", "Relay issues it on request")
        context.redactor.add(key)
        let scheme = options.string("auth_scheme", default: "RelayApiKey")
        self.authorization = HTTPHeader("Authorization", "\(scheme) \(key.reveal())")
        self.baseURL = options.string("base_url", default: "https://api.relaypro.com")
        self.pollInterval = options.duration(
            "poll_interval",
            default: .seconds(5),
            in: .milliseconds(100)...(.seconds(3600))
        )
        self.timeout = options.duration("timeout", default: .seconds(30), in: .seconds(1)...(.seconds(600)))
        self.route = HTTPRoute(options, context: context)
        self.settings = RelayWalk.Settings(
            overlap: options.duration("overlap", default: .seconds(120), in: .zero...(.seconds(86_400))),
            startFrom: options.duration(
                "start_from",
                default: .seconds(7 * 86_400),
                in: .zero...(.seconds(3650 * 86_400))
            ),
            limit: options.integer("page_limit", default: 100, in: 1...100)
        )
        do {
            self.url = try HTTPURL(self.baseURL)
            if self.url.scheme == "http", !self.url.isLoopback {
                options.diagnostics.warning(
                    "the key would travel unencrypted; use https:// (\(options.owner))",
                    at: options.place(of: "base_url")
                )
            }
        } catch {
            options.diagnostics.error("'base_url': \(error) (\(options.owner))", at: options.place(of: "base_url"))
            self.url = HTTPURL.unknown
        }
        if let problem = HTTPHeader.problem(name: "Authorization", value: self.authorization.value.reveal()) {
            options.diagnostics.error("'api_key': \(problem) (\(options.owner))", at: options.place(of: "api_key"))
        }
    }

    /// The published fields. `content` also holds whatever was sent along with an event.
    package static let knownFields: [String]? = [
        "event_id", "timestamp", "category", "content_type", "source_type", "sub_id", "profile_id", "user_id", "id",
        "workflow_id", "workflow_instance_id", "content.type", "content.device", "content.status", "content.*",
        "task.id", "task.name", "task.task_type.name", "task.task_type.namespace", "task.task_type.major",
        "task.task_type.minor",
    ]

    package func event(_ data: Bytes, now: Timestamp) throws -> Event {
        try RelayEventReader(source: self.name, now: now).event(data).0
    }

    package func run(from checkpoint: Checkpoint?, into channel: Channel) async throws {
        var walk = RelayWalk(self.settings, from: checkpoint, now: self.context.clock.now())
        var committed = checkpoint
        var recent = RecentIDs()
        while true {
            var step = RelayWalk.Step.ask(walk.startSweep())
            var isCaughtUp = false
            while case .ask(let request) = step {
                let now = self.context.clock.now()
                switch try await self.fetch(request) {
                case .fractionRefused:
                    step = walk.fractionRefused()
                case .page(let page) where request.isProbe:
                    step = walk.receiveProbe(page.times, now: now)
                    // The page before the probe has been sent on already; the probe's one event is among those to come.
                    if committed != walk.checkpoint {
                        try await channel.send(Batch(source: self.name, events: [], checkpoint: walk.checkpoint))
                        committed = walk.checkpoint
                    }
                case .page(let page):
                    step = walk.receive(times: page.times, count: page.count, now: now)
                    let events = recent.filter(page.events).inTimeOrder
                    let batch = Batch(
                        source: self.name,
                        events: events,
                        rejected: page.rejected,
                        checkpoint: walk.checkpoint
                    )
                    var new = 0
                    if !batch.events.isEmpty || !batch.rejected.isEmpty || committed != walk.checkpoint {
                        new = try await channel.send(batch).new
                        committed = walk.checkpoint
                    }
                    // A full page that ends a sweep has been reported as a possible loss.
                    isCaughtUp = step == .done && new == 0
                }
                self.recovered()
                self.report(walk.takeLossReports())
            }
            recent.endSweep()
            self.context.tally.source(self.name) { $0.isCaughtUp = true }
            if self.context.once {
                if isCaughtUp { return }
                continue
            }
            let interval = walk.wantsShortInterval ? min(self.pollInterval, .seconds(1)) : self.pollInterval
            try await self.context.clock.sleep(for: interval * Double.random(in: 0.95...1.05))
        }
    }

    private enum Answer {
        case page(RelayPage)
        case fractionRefused
    }

    /// Asks until there is an answer, with the patience that each failure calls for.
    private func fetch(_ request: RelayWalk.Request) async throws -> Answer {
        var failures = 0
        while true {
            try Task.checkCancellation()
            do {
                let page = try await self.page(request)
                return .page(page)
            } catch {
                if request.hasFraction, let status = error.status, status == 400 || status == 422 {
                    return .fractionRefused
                }
                try Task.checkCancellation()
                failures += 1
                try await self.wait(after: error, failures: failures)
            }
        }
    }

    /// A page was read and is on disk: whatever was wrong is over.
    private func recovered() {
        guard self.context.tally.current.sources[self.name]?.problem != nil else { return }
        self.context.tally.source(self.name) { $0.problem = nil }
        self.logger.info("the source can be read again")
    }

    private func wait(after failure: PollFailure, failures: Int) async throws {
        let told = self.context.tally.current.sources[self.name]?.problem
        self.context.tally.source(self.name) { $0.problem = failure.reason }
        if self.context.once && (failure.patience == .rarely || failures >= 6) {
            throw SourceError(failure.reason)
        }
        let delay = failure.delay(failures: failures, jitter: Double.random(in: 0...1))
        if told != failure.reason {
            self.logger.error(
                "the source cannot be read; its checkpoint stays where it is",
                metadata: [
                    LogKeys.reason: "\(failure.reason)", LogKeys.retryIn: "\(Quantity.approximate(delay))",
                ]
            )
        }
        try await self.context.clock.sleep(for: delay)
    }

    private func page(_ request: RelayWalk.Request) async throws(PollFailure) -> RelayPage {
        let response: HTTPResponse
        do {
            response = try await self.context.http.send(self.http(request))
        } catch {
            throw PollFailure(error)
        }
        let now = self.context.clock.now()
        switch response.status {
        case 204: return .empty
        case 200:
            do {
                return try RelayPage(response.body, source: self.name, now: now)
            } catch {
                throw PollFailure(unreadable: "\(error)", host: self.url.host)
            }
        default:
            let hints = [
                401: "the key is refused; check 'api_key'",
                403: "the key may not read this subscriber; check 'api_key' and 'subscriber_id'",
                404: "there is no such subscriber; check 'subscriber_id' and 'base_url'",
            ]
            throw PollFailure(response, host: self.url.host, hints: hints, now: now)
        }
    }

    private func http(_ request: RelayWalk.Request) -> HTTPRequest {
        var base = self.baseURL
        while base.hasSuffix("/") { base.removeLast() }
        let path = "/subscribers/\(self.subscriber.percentEncoded)/api/v1/events"
        return HTTPRequest(
            method: .get,
            url: Secret("\(base)\(path)?oldest=\(request.oldest.percentEncoded)&limit=\(request.limit)"),
            headers: [
                self.authorization,
                HTTPHeader("Accept", "application/json"),
                HTTPHeader("Content-Type", "application/json"),
            ],
            timeout: self.timeout,
            answerLimit: 16 * 1024 * 1024,
            acceptsGzip: true,
            route: self.route
        )
    }

    private func report(_ losses: [String]) {
        for loss in losses {
            self.context.tally.source(self.name) { source in
                if source.possibleLosses.count < 1000 { source.possibleLosses.append(loss) }
            }
            self.logger.error("events may be lost", metadata: [LogKeys.reason: "\(loss)"])
        }
    }
}

/// The ids of this sweep and the last one: what an overlap reads again and again need not go through the rules and the
/// spool each time. The spool tells repeats in any case.
private struct RecentIDs {
    private var last: Set<String> = []
    private var current: Set<String> = []

    mutating func filter(_ events: [Event]) -> [Event] {
        events.filter { event in
            let isKnown = self.last.contains(event.id)
            // Bounded, also while days are caught up.
            if self.current.count < 20_000 { self.current.insert(event.id) }
            return !isKnown
        }
    }

    mutating func endSweep() {
        self.last = self.current
        self.current = []
    }
}

extension [Event] {
    /// By time; page order where times are equal.
    fileprivate var inTimeOrder: [Event] {
        let isSorted = zip(self, self.dropFirst()).allSatisfy { $0.time <= $1.time }
        guard !isSorted else { return self }
        return self.enumerated().sorted { ($0.element.time, $0.offset) < ($1.element.time, $1.offset) }.map(\.element)
    }
}
