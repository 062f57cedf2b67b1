import BellhopCore

/// Polls any JSON API that lists events.
package struct HTTPPollSource: Source {
    package static let kind = "http_poll"
    package static let reference = """
        # Polls an API that answers GET with a list of events as JSON.
        kind: http_poll
        url: https://api.example.org/v1/events
        headers: {}                # like { Authorization: "Bearer ${API_TOKEN}" }
        items: ""                  # where the list stands in the answer, like data.events; empty: the answer is the list
        id: id                     # the field that names an event; without one it is known by its bytes
        time: timestamp            # the field with its time
        task: task.id              # the field that joins the events of one alert
        cursor: {}                 # how to ask for what is new; without it the same is asked each time, and what is known skipped
                                   # { query: since, from: last_time }   ?since=2026-11-21T03:00:00Z: the newest event's time
                                   # { query: after, from: last_id }     ?after=…: the last event's id
                                   # { query: page, field: next_page }   ?page=…: a field of the last answer
                                   # { link: true }                      the answer's Link header with rel="next"
        overlap: 60s               # with last_time: read again at each poll, for events that show up late
        start_from: 7d             # with last_time: how far back the very first run begins
        poll_interval: 5s          # when caught up; catching up does not wait
        timeout: 30s               # for one request
        \(HTTPRoute.reference)
        """

    package let name: String
    package var address: String { self.server.url.host }

    private let server: PolledServer
    private let headers: [HTTPHeader]
    private let items: [String]
    private let fields: EventFields
    private let cursor: PollCursor
    private let context: ComponentContext
    private let poller: Poller

    package init(name: String, options: OptionReader, context: ComponentContext) {
        self.name = name
        self.context = context
        self.poller = Poller(name, context)
        self.server = PolledServer(options, key: "url", default: nil, context: context)
        context.redactor.add(Secret(self.server.base))
        self.headers = options.strings("headers").map { name, value, place in
            if let problem = HTTPHeader.problem(name: name, value: value) {
                options.diagnostics.error("\(problem) (\(options.owner))", at: place)
            }
            context.redactor.add(Secret(value))
            return HTTPHeader(name, value)
        }
        let items = options.string("items", default: "")
        do {
            self.items = items.isEmpty ? [] : try FieldPath(dotted: items).names
        } catch {
            options.diagnostics.error("'items': \(error) (\(options.owner))", at: options.place(of: "items"))
            self.items = []
        }
        self.fields = EventFields(options, id: "id")
        self.cursor = PollCursor(options)
    }

    package func event(_ data: Bytes, now: Timestamp) throws -> Event {
        try self.fields.event(data, source: self.name, now: now) { data.contentID }
    }

    package func run(from checkpoint: Checkpoint?, into channel: Channel) async throws {
        var place = try PollPlace(checkpoint, self.cursor, now: self.context.clock.now())
        var committed = checkpoint
        var recent = RecentIDs()
        while true {
            var next: PollQuery? = self.cursor.first(place)
            var isCaughtUp = false
            while let query = next {
                let answer = try await self.poller.ask { () async throws(PollFailure) -> Answer in
                    try await self.fetch(query)
                }
                let events = recent.filter(answer.events).inTimeOrder
                place.advance(self.cursor, answer.events, field: answer.cursor)
                let new = place.checkpoint(self.cursor)
                let batch = Batch(source: self.name, events: events, rejected: answer.rejected, checkpoint: new)
                var added = 0
                if !events.isEmpty || !answer.rejected.isEmpty || committed != new {
                    added = try await channel.send(batch).new
                    committed = new
                }
                self.poller.recovered()
                next = self.cursor.next(after: query, place, answer, added: added)
                isCaughtUp = next == nil && added == 0
            }
            recent.endSweep()
            self.poller.caughtUp()
            if self.context.once {
                if isCaughtUp { return }
                continue
            }
            try await self.poller.pause(self.server.pollInterval)
        }
    }

    /// One answer, taken apart.
    struct Answer: Sendable {
        let events: [Event]
        let rejected: [RejectedEvent]
        /// The field that the cursor names, where the answer has it.
        let cursor: String?
        /// The query of the Link header with `rel="next"`.
        let link: String?
    }

    private func fetch(_ query: PollQuery) async throws(PollFailure) -> Answer {
        let response: HTTPResponse
        do {
            let headers = self.headers + [HTTPHeader("Accept", "application/json")]
            response = try await self.context.http.send(
                self.server.request(.get, url: query.url(self.server.base), headers: headers)
            )
        } catch {
            throw PollFailure(error)
        }
        let now = self.context.clock.now()
        guard response.status == 200 || response.status == 204 else {
            let hints = [401: "check 'headers'", 403: "check 'headers'", 404: "check 'url'"]
            throw PollFailure(response, host: self.server.url.host, hints: hints, now: now)
        }
        if response.status == 204 { return Answer(events: [], rejected: [], cursor: nil, link: nil) }
        let page: ItemPage
        do {
            page = try ItemPage(response.body, at: self.items)
        } catch {
            throw PollFailure(unreadable: "\(error)", host: self.server.url.host)
        }
        var events: [Event] = []
        var rejected: [RejectedEvent] = []
        for item in page.items {
            do {
                events.append(try self.event(item, now: now))
            } catch {
                rejected.append(RejectedEvent(data: item, reason: "\(error)"))
            }
        }
        return Answer(
            events: events,
            rejected: rejected,
            cursor: self.cursor.field(of: response.body),
            link: response.header("link").flatMap { PollCursor.next(in: $0, of: self.server.base) }
        )
    }
}
