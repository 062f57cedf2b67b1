import BellhopCore
import Logging

/// What polling sources have in common: asking with the patience that each failure calls for, telling of trouble once,
/// and the pause between polls.
struct Poller: Sendable {
    let source: String
    let context: ComponentContext
    let logger: Logger

    init(_ source: String, _ context: ComponentContext) {
        self.source = source
        self.context = context
        var logger = context.logger
        logger[metadataKey: LogKeys.source] = "\(source)"
        self.logger = logger
    }

    /// Asks until there is an answer.
    ///
    /// - `patience`: failures after which it gives up; nil is for ever.
    ///
    /// - Throws: ``SourceError`` where somebody waits for the end (`--once`), and `CancellationError`.
    func ask<Answer>(
        patience: Int? = nil,
        _ attempt: () async throws(PollFailure) -> Answer
    ) async throws -> Answer {
        var failures = 0
        while true {
            try Task.checkCancellation()
            do {
                return try await attempt()
            } catch {
                try Task.checkCancellation()
                failures += 1
                if let patience, failures >= patience || error.patience == .rarely {
                    throw SourceError(error.reason, status: error.status)
                }
                try await self.wait(after: error, failures: failures)
            }
        }
    }

    /// What was asked for is on disk: whatever was wrong is over.
    func recovered() {
        guard self.context.tally.current.sources[self.source]?.problem != nil else { return }
        self.context.tally.source(self.source) { $0.problem = nil }
        self.logger.info("the source can be read again")
    }

    func caughtUp() {
        let now = self.context.clock.now()
        self.context.tally.source(self.source) { ($0.isCaughtUp, $0.lastRead) = (true, now) }
    }

    /// Says loudly what may be lost.
    func report(_ losses: [String]) {
        for loss in losses {
            self.context.tally.source(self.source) { source in
                if source.possibleLosses.count < 1000 { source.possibleLosses.append(loss) }
            }
            self.logger.error("events may be lost", metadata: [LogKeys.reason: "\(loss)"])
        }
    }

    /// Jittered, so that many do not poll in step.
    func pause(_ interval: Duration) async throws {
        try await self.context.clock.sleep(for: interval * Double.random(in: 0.95...1.05))
    }

    private func wait(after failure: PollFailure, failures: Int) async throws {
        let told = self.context.tally.current.sources[self.source]?.problem
        self.context.tally.source(self.source) { $0.problem = failure.reason }
        if self.context.once && (failure.patience == .rarely || failures >= 6) {
            throw SourceError(failure.reason, status: failure.status)
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
}

/// The ids of this sweep and the last one: what an overlap reads again and again need not go through the rules and the
/// spool each time. The spool tells repeats in any case.
struct RecentIDs {
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
    var inTimeOrder: [Event] {
        let isSorted = zip(self, self.dropFirst()).allSatisfy { $0.time <= $1.time }
        guard !isSorted else { return self }
        return self.enumerated().sorted { ($0.element.time, $0.offset) < ($1.element.time, $1.offset) }.map(\.element)
    }
}

/// The server that a polling source reads, from its options.
struct PolledServer: Sendable {
    let url: HTTPURL
    /// A vendor's without a slash at its end.
    let base: String
    let pollInterval: Duration
    let timeout: Duration
    let route: HTTPRoute

    /// - `key`: the option that holds the URL.
    /// - `fallback`: the vendor's own address; nil where one must be given.
    init(_ options: OptionReader, key: String = "base_url", default fallback: String?, context: ComponentContext) {
        var base =
            fallback.map { options.string(key, default: $0) } ?? options.requiredString(key, "where to read from")
        while fallback != nil, base.hasSuffix("/") { base.removeLast() }
        self.base = base
        self.pollInterval = options.duration(
            "poll_interval",
            default: .seconds(5),
            in: .milliseconds(100)...(.seconds(3600))
        )
        self.timeout = options.duration("timeout", default: .seconds(30), in: .seconds(1)...(.seconds(600)))
        self.route = HTTPRoute(options, context: context)
        guard !base.isEmpty else {
            self.url = .unknown
            return
        }
        do {
            self.url = try HTTPURL(base)
            if self.url.scheme == "http", !self.url.isLoopback {
                options.diagnostics.warning(
                    "the key would travel unencrypted; use https:// (\(options.owner))",
                    at: options.place(of: key)
                )
            }
        } catch {
            options.diagnostics.error("'\(key)': \(error) (\(options.owner))", at: options.place(of: key))
            self.url = .unknown
        }
    }

    /// A request to a path of the server.
    func request(
        _ method: HTTPRequest.Method,
        _ pathAndQuery: String,
        headers: [HTTPHeader],
        body: Bytes? = nil
    ) -> HTTPRequest {
        self.request(method, url: self.base + pathAndQuery, headers: headers, body: body)
    }

    func request(
        _ method: HTTPRequest.Method,
        url: String,
        headers: [HTTPHeader],
        body: Bytes? = nil
    ) -> HTTPRequest {
        HTTPRequest(
            method: method,
            url: Secret(url),
            headers: headers,
            body: body,
            timeout: self.timeout,
            answerLimit: 16 * 1024 * 1024,
            acceptsGzip: true,
            route: self.route
        )
    }
}
