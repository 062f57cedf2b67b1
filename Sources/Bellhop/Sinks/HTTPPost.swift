import BellhopCore

/// What all sinks that post over HTTP have in common: their options, and what an answer's status means.
struct HTTPPost: Sendable {
    /// The options, for each sink's reference; the same text everywhere, so that it may be shown once.
    static let reference = """
        timeout: 15s            # for one attempt
        connect_timeout: 5s
        concurrency: 16         # attempts at once
        ordered: task           # task: in order per alert; sink: strictly; none
        headers: {}             # sent along; values may be ${SECRETS}
        retry: { base: 1s, cap: 10m, give_up_after: 24h }
        on_unknown: retry       # sent, but no answer came: retry, or hold for a person
        circuit_breaker: { failures: 10, probe_every: 30s }   # failures in a row that suspend attempts; 0 never
        body_limit: 5MB         # larger bodies become dead letters
        signing_secret: []      # whsec_… or whsk_…; several while you change them
        signing_scheme: standard_webhooks   # or github (X-Hub-Signature-256)
        \(HTTPRoute.reference)
        """

    /// The line of `rate_limit`, and all options behind it.
    ///
    /// - `rate`: the preset.
    static func reference(rate: Rate? = nil) -> String {
        let scope = rate == nil ? "attempts per host, like 10/s or 30/m" : "for this sink; another one is per host"
        return "rate_limit: \((rate?.description ?? "none").padded(to: 12))# \(scope); none\n\(HTTPPost.reference)"
    }

    let host: String
    let policy: DispatchPolicy
    private let url: Secret
    /// Chat services put keys into the path or query of their webhooks' addresses.
    private let isURLSecret: Bool
    private let headers: [HTTPHeader]
    private let timeout: Duration
    private let connectTimeout: Duration
    private let bodyLimit: Int64
    private let route: HTTPRoute
    private let signer: WebhookSigner?
    private let context: ComponentContext

    /// - `key`: the option that the URL comes from; what comes from `base_url` may be shown.
    /// - `rate`: the receiver's own limit, where it is known.
    init(
        _ options: OptionReader,
        url: Secret,
        from key: String = "url",
        headers: [HTTPHeader] = [],
        rate: Rate? = nil,
        context: ComponentContext
    ) {
        self.context = context
        self.url = url
        self.isURLSecret = key == "url"
        if self.isURLSecret { context.redactor.add(url) }
        self.timeout = options.duration("timeout", default: .seconds(15), in: .milliseconds(100)...(.seconds(600)))
        self.connectTimeout = options.duration(
            "connect_timeout",
            default: .seconds(5),
            in: .milliseconds(100)...(.seconds(120))
        )
        self.bodyLimit = options.size("body_limit", default: 5_000_000, in: 1...1_000_000_000)
        let own = headers.map { $0.name.lowercased() }
        self.headers = HTTPPost.headers(options, context, besides: own) + headers
        for header in headers {
            guard let problem = HTTPHeader.problem(name: header.name, value: header.value.reveal()) else { continue }
            options.error("it makes a header that cannot be sent: \(problem)", options.setting)
        }
        self.signer = HTTPPost.signer(options, context)
        var route = HTTPRoute(options, context: context)
        let onUnknown = options.choice("on_unknown", default: UnknownPolicy.retry)
        // A kept-alive connection that breaks leaves it open whether the request was read; a fresh one hardly ever.
        route.isFresh = onUnknown == .hold
        self.route = route

        var host = "?"
        var origin: String?
        if !self.url.isEmpty {
            do {
                let url = try HTTPURL(self.url.reveal())
                (host, origin) = (url.host, url.origin)
            } catch {
                options.diagnostics.error("'\(key)': \(error) (\(options.owner))", at: options.place(of: key))
            }
        }
        self.host = host
        self.policy = DispatchPolicy(
            order: options.choice("ordered", default: .task),
            concurrency: options.integer("concurrency", default: 16, in: 1...1000),
            retry: RetryPolicy(options.nested("retry"), onUnknown: onUnknown),
            host: origin,
            rate: HTTPPost.rate(options, preset: rate),
            breaker: CircuitBreaker.Policy(options.nested("circuit_breaker"))
        )
    }

    var executor: any TaskExecutor { self.context.http.executor }

    /// Posts deliveries, one after the other.
    ///
    /// - `make`: what is posted of one.
    /// - `judge`: what an answer means where its status alone would mislead.
    func deliver(
        _ deliveries: [Delivery],
        make: @escaping @Sendable (Delivery) throws(DeliveryError) -> Message,
        judge: @Sendable (HTTPResponse) -> DeliveryError? = { _ in nil }
    ) async -> [Verdict] {
        var verdicts: [Verdict] = []
        for delivery in deliveries {
            verdicts.append(
                await Verdict { () async throws(DeliveryError) -> String in
                    let message = try await self.made(of: delivery, make)
                    let answer = try await self.exchange(message, for: delivery)
                    if let error = judge(answer) ?? self.verdict(answer) { throw error }
                    return "HTTP \(answer.status)"
                }
            )
        }
        return verdicts
    }

    /// Large events are made into messages elsewhere: this runs on the thread that sends for all.
    private func made(
        of delivery: Delivery,
        _ make: @escaping @Sendable (Delivery) throws(DeliveryError) -> Message
    ) async throws(DeliveryError) -> Message {
        guard delivery.event.data.count > 16_384 else { return try make(delivery) }
        let result = await withTaskExecutorPreference(globalConcurrentExecutor) {
            await HTTPPost.elsewhere { () throws(DeliveryError) -> Message in try make(delivery) }
        }
        return try result.get()
    }

    @concurrent private static func elsewhere(
        _ make: @Sendable () throws(DeliveryError) -> Message
    ) async -> Result<Message, DeliveryError> {
        Result { () throws(DeliveryError) -> Message in try make() }
    }

    /// What is posted of one delivery.
    struct Message: Sendable {
        let body: Bytes
        let type: String
        var headers: [(name: String, value: String)] = []
        /// Another URL than the sink's, at the same host.
        var url: Secret?
    }

    /// The whole request for a delivery, as it leaves now.
    /// - Throws: ``DeliveryError`` for what cannot be sent.
    private func request(_ message: Message, for delivery: Delivery) throws(DeliveryError) -> HTTPRequest {
        guard message.body.count <= self.bodyLimit else {
            let count = message.body.count
            throw .unsendable(reason: "the body has \(count) bytes, more than 'body_limit' (\(self.bodyLimit))")
        }
        let id = WebhookIdentity.id(of: delivery)
        let timestamp = self.context.clock.now().seconds
        var headers = self.headers
        headers.append(HTTPHeader("Content-Type", message.type))
        headers.append(HTTPHeader("webhook-id", id))
        headers.append(HTTPHeader("webhook-timestamp", "\(timestamp)"))
        for (name, value) in message.headers {
            if let problem = HTTPHeader.problem(name: name, value: value) { throw .unsendable(reason: problem) }
            headers.append(HTTPHeader(name, value))
        }
        if let signer = self.signer { headers += signer.headers(id: id, timestamp: timestamp, body: message.body) }
        return HTTPRequest(
            method: .post,
            url: message.url ?? self.url,
            host: self.host,
            headers: headers,
            body: message.body,
            timeout: self.timeout,
            connectTimeout: self.connectTimeout,
            route: self.route
        )
    }

    /// The answer, whatever its status; or why there is none.
    private func exchange(_ message: Message, for delivery: Delivery) async throws(DeliveryError) -> HTTPResponse {
        let request = try self.request(message, for: delivery)
        do {
            return try await self.context.http.send(request)
        } catch {
            throw self.verdict(error)
        }
    }

    /// The request as people may see it, secrets masked.
    func preview(_ message: Message, for delivery: Delivery) throws(DeliveryError) -> SinkPreview {
        let request = try self.request(message, for: delivery)
        let scheme = (try? HTTPURL(request.url.reveal()).scheme) ?? "https"
        let url = self.isURLSecret ? "\(scheme)://\(self.host)/…" : self.context.redactor.redact(request.url.reveal())
        let shown: Set<String> = ["content-type", "webhook-id", "webhook-timestamp", "webhook-signature"]
        let own = Set(message.headers.map(\.name))
        let lines = request.headers.map { header in
            let isOpen = own.contains(header.name) || shown.contains(header.name.lowercased())
            return "\(header.name): \(isOpen ? header.value.reveal() : "***")"
        }
        return SinkPreview(
            head: ["POST \(url)"] + lines,
            body: self.context.redactor.redact(message.body.string)
        )
    }

    /// `HTTP 404 from hooks.example.org: no such hook`: the start of the body on one line, without what error pages
    /// repeat of the request.
    func reason(_ response: HTTPResponse) -> String {
        // A secret that the first cut tears in two is not in the part that is kept.
        let start = self.context.redactor.redact(response.body[0..<min(response.body.count, 16_384)].string).prefix(
            8192
        )
        let words = start.split { $0.isWhitespace || $0.isNewline }.joined(separator: " ")
        let isPrintable: (Unicode.Scalar) -> Bool = { $0.value >= 32 && $0.value != 127 }
        let text = String(String.UnicodeScalarView(words.unicodeScalars.filter(isPrintable))).prefix(300)
        return "HTTP \(response.status) from \(self.host)" + (text.isEmpty ? "" : ": \(text)")
    }

    // MARK: - Verdicts

    private func verdict(_ error: HTTPError) -> DeliveryError {
        let reason = self.context.redactor.redact("\(error)")
        return switch error {
        // Sent and cut off by a shutdown is as unknown as sent and not answered.
        case .cancelled(sent: true) where self.policy.retry.onUnknown == .hold: .unanswered(reason: reason)
        case .cancelled: .cancelled
        case .badURL, .badHeader, .refused: .unsendable(reason: reason)
        case .resolve, .connect, .tls, .timeout(_, _, sent: false): .unreachable(reason: reason)
        // `answerTooLarge` is for GET.
        case .timeout, .noAnswer, .answerTooLarge: .unanswered(reason: reason)
        }
    }

    /// Nil for 2xx (webhooks.md §4: what each status means, from the practice of others).
    private func verdict(_ response: HTTPResponse) -> DeliveryError? {
        switch response.status {
        case 200...299: return nil
        case 429:
            let asked = [self.retryAfter(response), HTTPPost.retryAfter(inBody: response.body)].compactMap { $0 }.max()
            return .throttled(reason: self.reason(response), after: asked)
        case 408, 425, 500, 502...504, 506...509, 511...599:
            return .transient(reason: self.reason(response), after: self.retryAfter(response))
        case 410: return .gone(reason: self.reason(response))
        default: return .permanent(reason: self.reason(response))
        }
    }

    private func retryAfter(_ response: HTTPResponse) -> Duration? {
        let now = self.context.clock.now()
        return response.header("retry-after").flatMap { RetryAfter.parse($0, now: now) }
    }

    /// `{"retry_after": 0.65}` (Discord), `{"parameters": {"retry_after": 5}}` (Telegram), in seconds.
    private static func retryAfter(inBody body: Bytes) -> Duration? {
        let seconds = try? JSONParser()
            .parse(body) { json in
                (json["retry_after"] ?? json["parameters"]?["retry_after"])?.leaf.number?.double
            }
        return (seconds ?? nil).map { .milliseconds(Int64((min(max($0, 0), 1e9) * 1000).rounded(.up))) }
    }
}

extension String {
    fileprivate func padded(to count: Int) -> String {
        self + String(repeating: " ", count: max(1, count - self.count))
    }
}

extension Result where Success == String, Failure == DeliveryError {
    /// The verdict of one attempt.
    init(catching body: () async throws(DeliveryError) -> String) async {
        do { self = .success(try await body()) } catch { self = .failure(error) }
    }
}
