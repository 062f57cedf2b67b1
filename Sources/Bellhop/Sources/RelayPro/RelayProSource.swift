import BellhopCore

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
    package var address: String { self.server.url.host }

    private let server: PolledServer
    private let subscriber: String
    private let authorization: HTTPHeader
    private var settings: RelayWalk.Settings
    private let context: ComponentContext
    private let poller: Poller

    package init(name: String, options: OptionReader, context: ComponentContext) {
        self.name = name
        self.context = context
        self.poller = Poller(name, context)
        self.subscriber = options.requiredString(
            "subscriber_id",
            "on the Relay Dash under Help > Server Details > Subscriber"
        )
        let key = options.requiredSecret("api_key", "Relay issues it on request")
        context.redactor.add(key)
        let scheme = options.string("auth_scheme", default: "RelayApiKey")
        self.authorization = HTTPHeader("Authorization", "\(scheme) \(key.reveal())")
        self.server = PolledServer(options, default: "https://api.relaypro.com", context: context)
        self.settings = RelayWalk.Settings(
            overlap: options.duration("overlap", default: .seconds(120), in: .zero...(.seconds(86_400))),
            startFrom: options.duration(
                "start_from",
                default: .seconds(7 * 86_400),
                in: .zero...(.seconds(3650 * 86_400))
            ),
            limit: options.integer("page_limit", default: 100, in: 1...100)
        )
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
                self.poller.recovered()
                self.poller.report(walk.takeLossReports())
            }
            recent.endSweep()
            self.poller.caughtUp()
            if self.context.once {
                if isCaughtUp { return }
                continue
            }
            let interval = self.server.pollInterval
            try await self.poller.pause(walk.wantsShortInterval ? min(interval, .seconds(1)) : interval)
        }
    }

    /// The API has no route for one event, so this reads from `since` on until it comes.
    package func find(_ id: String, since: Timestamp) async -> FoundEvent {
        var settings = self.settings
        settings.startFrom = self.context.clock.now() - since
        let reader = self.reading(settings)
        let channel = Channel()
        do {
            let found = try await withThrowingTaskGroup(of: Event?.self) { group in
                group.addTask {
                    try await reader.run(from: nil, into: channel)
                    return nil
                }
                group.addTask {
                    for await handoff in channel.handoffs {
                        // Nothing is new once the whole stretch has been read twice.
                        handoff.answer(.success(Receipt(new: 0, known: handoff.batch.events.count)))
                        if let event = handoff.batch.events.first(where: { $0.id == id }) { return event }
                    }
                    return nil
                }
                let first = try await group.next() ?? nil
                channel.close()
                group.cancelAll()
                return first
            }
            if let found { return .event(found) }
        } catch {
            return FoundEvent(error)
        }
        return .absent(
            "\(self.address) gave out no event '\(id)' since \(since.formatted(.seconds)); look further back with --since"
        )
    }

    private func reading(_ settings: RelayWalk.Settings) -> RelayProSource {
        var copy = self
        copy.settings = settings
        return copy
    }

    private enum Answer {
        case page(RelayPage)
        case fractionRefused
    }

    private func fetch(_ request: RelayWalk.Request) async throws -> Answer {
        try await self.poller.ask { () async throws(PollFailure) -> Answer in
            do throws(PollFailure) {
                return .page(try await self.page(request))
            } catch {
                let isRefused = request.hasFraction && (error.status == 400 || error.status == 422)
                guard isRefused else { throw error }
                return .fractionRefused
            }
        }
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
                throw PollFailure(unreadable: "\(error)", host: self.server.url.host)
            }
        default:
            let hints = [
                401: "the key is refused; check 'api_key'",
                403: "the key may not read this subscriber; check 'api_key' and 'subscriber_id'",
                404: "there is no such subscriber; check 'subscriber_id' and 'base_url'",
            ]
            throw PollFailure(response, host: self.server.url.host, hints: hints, now: now)
        }
    }

    private func http(_ request: RelayWalk.Request) -> HTTPRequest {
        let path = "/subscribers/\(self.subscriber.percentEncoded)/api/v1/events"
        return self.server.request(
            .get,
            "\(path)?oldest=\(request.oldest.percentEncoded)&limit=\(request.limit)",
            headers: [
                self.authorization,
                HTTPHeader("Accept", "application/json"),
                HTTPHeader("Content-Type", "application/json"),
            ]
        )
    }
}
