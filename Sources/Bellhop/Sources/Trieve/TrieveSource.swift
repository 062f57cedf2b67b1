import BellhopCore

/// Polls the analytics events of a Trieve dataset (docs.trieve.ai), and what else it keeps for analytics.
package struct TrieveSource: Source {
    package static let kind = "trieve"
    package static let reference = """
        # Polls the analytics of a Trieve dataset.
        kind: trieve
        dataset: ${TRIEVE_DATASET}       # its id, or its tracking id together with 'organization'
        api_key: ${TRIEVE_API_KEY}       # of an admin or owner, or with a scope for POST /api/analytics
        organization: ""                 # the organization's id; needed with a tracking id
        base_url: https://api.trieve.ai
        read: events                     # events, search, rag, recommendations or topics
        poll_interval: 5s                # when caught up; catching up does not wait
        start_from: 7d                   # how far back the very first run begins
        overlap: 60s                     # read again at each poll: rows show up to 20 s late; at least 60s
        page_limit: 500                  # rows of one answer
        timeout: 30s                     # for one request
        \(HTTPRoute.reference)
        """

    package let name: String
    package var address: String { self.api.server.url.host }

    private let api: TrieveAPI
    private let reader: TrieveEventReader
    private let overlap: Duration
    private let startFrom: Duration
    private let limit: Int
    private let context: ComponentContext
    private let poller: Poller

    package init(name: String, options: OptionReader, context: ComponentContext) {
        self.name = name
        self.context = context
        self.poller = Poller(name, context)
        let dataset = options.requiredString("dataset", "the dataset's id or tracking id")
        let key = options.requiredSecret("api_key", "a key of the organization")
        context.redactor.add(key)
        let organization = options.string("organization", default: "")
        let kind = options.choice("read", default: TrieveKind.events)
        let isID = TrieveSource.isUUID(dataset)
        self.reader = TrieveEventReader(source: name, kind: kind, dataset: isID ? dataset : nil)
        if !isID, !dataset.isEmpty, !TrieveSource.isUUID(organization) {
            options.diagnostics.error(
                "'dataset' is a tracking id, so 'organization' must be the organization's id (\(options.owner))",
                at: options.place(of: "dataset")
            )
        }
        var headers = [
            HTTPHeader("Authorization", "Bearer \(key.reveal())"), HTTPHeader("TR-Dataset", dataset),
            HTTPHeader("Content-Type", "application/json"), HTTPHeader("Accept", "application/json"),
        ]
        if !organization.isEmpty { headers.append(HTTPHeader("TR-Organization", organization)) }
        for (header, option) in zip(headers, ["api_key", "dataset"]) {
            if let problem = HTTPHeader.problem(name: header.name, value: header.value.reveal()) {
                options.diagnostics.error("'\(option)': \(problem) (\(options.owner))", at: options.place(of: option))
            }
        }
        self.overlap = options.duration("overlap", default: .seconds(60), in: .seconds(60)...(.seconds(86_400)))
        self.startFrom = options.duration(
            "start_from",
            default: .seconds(7 * 86_400),
            in: .zero...(.seconds(3650 * 86_400))
        )
        self.limit = options.integer("page_limit", default: 500, in: 1...10_000)
        self.api = TrieveAPI(
            server: PolledServer(options, default: "https://api.trieve.ai", context: context),
            headers: headers,
            kind: kind,
            http: context.http,
            clock: context.clock
        )
    }

    private static func isUUID(_ text: String) -> Bool {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        return parts.map(\.utf8.count) == [8, 4, 4, 4, 12]
            && parts.joined().utf8.allSatisfy { byte in
                (48...57).contains(byte) || (97...102).contains(byte | 0x20)
            }
    }

    package func event(_ data: Bytes, now: Timestamp) throws -> Event {
        try self.reader.event(data)
    }

    package func run(from checkpoint: Checkpoint?, into channel: Channel) async throws {
        var sweep = TrieveSweep(
            newest: try checkpoint.map { checkpoint in
                guard let time = Timestamp(checkpoint.position) else {
                    throw SourceError("its checkpoint is none of a trieve source; was the source of another kind?")
                }
                return time
            } ?? self.context.clock.now() - self.startFrom + self.overlap,
            overlap: self.overlap
        )
        var committed = checkpoint
        var recent = RecentIDs()
        var isOld = false
        while true {
            var new = 0
            func send(_ rows: [Bytes]) async throws {
                let (events, rejected) = self.read(rows)
                sweep.saw(events)
                let fresh = recent.filter(events)
                guard !fresh.isEmpty || !rejected.isEmpty || committed != sweep.checkpoint else { return }
                let batch = Batch(
                    source: self.name,
                    events: fresh.inTimeOrder,
                    rejected: rejected,
                    checkpoint: sweep.checkpoint
                )
                new += try await channel.send(batch).new
                committed = sweep.checkpoint
            }
            if !isOld { isOld = try await !self.walk(sweep.start, send) }
            if isOld {
                guard self.reader.kind == .events else {
                    throw SourceError(
                        "\(self.address) does not know POST /api/analytics; this version of Trieve can only be read with 'read: events'"
                    )
                }
                sweep.settled(upTo: try await self.sweepWindows(from: sweep.start, send))
            }
            self.poller.recovered()
            recent.endSweep()
            self.poller.caughtUp()
            if self.context.once {
                if new == 0 { return }
                continue
            }
            try await self.poller.pause(self.api.server.pollInterval)
        }
    }

    /// `GET /api/analytics/events/{event_id}`, and what there is for the other kinds.
    package func find(_ id: String, since: Timestamp) async -> FoundEvent {
        do {
            let response = try await self.poller.ask(patience: 3) { () async throws(PollFailure) -> HTTPResponse in
                let response = try await self.api.event(id)
                // Such a 500 may also be a database that fails for a moment.
                switch response.status {
                case 200, 400, 404, 500: return response
                default: throw self.api.failure(response)
                }
            }
            let said = TrieveAPI.message(response)
            switch response.status {
            case 200: return .event(try self.event(response.body, now: self.context.clock.now()))
            case 500:
                // The server's own not-found is a 500 with this message, and so are all failures of its database.
                return .absent(
                    "\(self.address) has no \(self.reader.kind.eventKind) '\(id)' in this dataset, or its database fails: it answers both with HTTP 500 (\(said))"
                )
            case 400 where said.contains("Could not get database connection"):
                return .unreachable("\(self.address) answered HTTP 400: \(said)")
            case 400: return .absent("\(self.address) does not take '\(id)': \(said) (ids are UUIDs)")
            default: return .absent("\(self.address) answered HTTP \(response.status): \(said)")
            }
        } catch {
            return FoundEvent(error)
        }
    }

    private func read(_ rows: [Bytes]) -> ([Event], [RejectedEvent]) {
        var events: [Event] = []
        var rejected: [RejectedEvent] = []
        for row in rows {
            do {
                events.append(try self.reader.event(row))
            } catch {
                rejected.append(RejectedEvent(data: row, reason: "\(error)"))
            }
        }
        return (events, rejected)
    }

    /// Keyset paging, ascending on (`created_at`, `id`).
    /// - Returns: false where the server does not know the route.
    private func walk(_ start: Timestamp, _ send: ([Bytes]) async throws -> Void) async throws -> Bool {
        var last: TrieveKey?
        while true {
            let page = try await self.poller.ask { () async throws(PollFailure) -> TrieveAPI.Page in
                try await self.api.rows(from: start, after: last, limit: self.limit)
            }
            guard case .rows(let rows) = page else { return false }
            try await send(rows)
            guard rows.count >= self.limit, let key = rows.last.flatMap({ TrieveKey($0) }), key != last else {
                return true
            }
            last = key
        }
    }

    // MARK: - Servers that know only the older route

    /// Windows of an hour up to now, in order; each is read until nothing of it is missing.
    private func sweepWindows(from start: Timestamp, _ send: ([Bytes]) async throws -> Void) async throws -> Timestamp {
        let now = self.context.clock.now()
        var from = start.flooredToSecond
        while from <= now {
            let to = min(from + .seconds(3600), now.flooredToSecond + .seconds(1))
            try await self.window(from, to, send)
            from = to
        }
        // Or quiet days would be read again at each poll.
        return now
    }

    /// Its pages shift and repeat while rows come in, and lose rows of one second: a window is read until the distinct ids
    /// are as many as the rows, in halves where it is large.
    private func window(_ from: Timestamp, _ to: Timestamp, _ send: ([Bytes]) async throws -> Void) async throws {
        var found: [TrieveKey: Bytes] = [:]
        // Rows that nobody can name are rejected, once.
        var unnamed: Set<Bytes> = []
        for attempt in 1...20 {
            var rows = 0
            var page = 1
            var keys: Set<TrieveKey> = []
            while true {
                let part = try await self.poller.ask { () async throws(PollFailure) -> [Bytes] in
                    try await self.api.events(from: from, to: to, page: page)
                }
                for row in part {
                    guard let key = TrieveKey(row) else {
                        unnamed.insert(row)
                        continue
                    }
                    rows += 1
                    keys.insert(key)
                    found[key] = row
                }
                // Ten a page: beyond twenty pages halves are cheaper than reading all of it again.
                if page == 20, to - from > .seconds(1) {
                    let middle = from + .seconds(max(1, (to - from).nanoseconds / 2_000_000_000))
                    try await self.window(from, middle, send)
                    return try await self.window(middle, to, send)
                }
                guard part.count >= 10 else { break }
                page += 1
            }
            // All that was ever seen of it, in one go without a repeat.
            if keys.count == rows, keys.count == found.count { break }
            if attempt == 20 {
                self.poller.report([
                    "events from \(TrieveKey.text(from)) to \(TrieveKey.text(to)) UTC: the server's pages never agreed; \(found.count) were read"
                ])
            }
        }
        try await send(found.sorted { $0.key < $1.key }.map(\.value) + unnamed)
    }
}
