import BellhopCore

/// Makes events of what is posted to a `hooks` source.
struct HookReader: Sendable {
    /// Events that one request may hold.
    static let limit = 10_000
    /// Bytes that are kept of what is no event.
    private static let keptLimit = 65_536

    let source: String
    let scheme: WebhookVerifier.Scheme
    private let fields: EventFields
    /// The configuration names the field with the id: it is better than what senders' headers say.
    private let isIDConfigured: Bool

    /// What a request came to.
    struct Reading {
        var events: [Event] = []
        var rejected: [RejectedEvent] = []
    }

    init(_ source: String, _ options: OptionReader, _ scheme: WebhookVerifier.Scheme) {
        self.source = source
        self.scheme = scheme
        self.isIDConfigured = options.optional("id") != nil
        self.fields =
            switch scheme {
            case .slack: EventFields(options, id: "event_id", time: "event_time")
            case .stripe: EventFields(options, id: "id", time: "created")
            default: EventFields(options)
            }
    }

    /// - Throws: the answer to a request of a kind that is not understood.
    func mode(of request: InboundRequest) throws(InboundAnswer) -> Mode {
        let media = MediaType(request.header("content-type"))
        let encoding = request.header("content-encoding")?.lowercased() ?? "identity"
        guard encoding == "identity" else {
            throw InboundAnswer(
                problem: 415,
                "bodies are taken as they are, not as Content-Encoding: \(encoding)",
                headers: [("accept-encoding", "identity")]
            )
        }
        var cloud = InboundCloudEvent.mode(of: request, media)
        // Headers that nobody signed must not say what an event is.
        if cloud == .binary, [.github, .slack, .stripe].contains(self.scheme) { cloud = nil }
        let isUnderstood =
            switch cloud {
            case .binary: true
            case .structured: media.isJSON || media.type == "application/cloudevents"
            case .batch: media.isJSON || media.type == "application/cloudevents-batch"
            case nil: media.isJSON
            }
        guard isUnderstood, !media.isForeign else {
            let sent = media.type.isEmpty ? "a body without Content-Type" : "'\(request.header("content-type") ?? "")'"
            throw InboundAnswer(problem: 415, "send Content-Type: application/json (in UTF-8), not \(sent)")
        }
        return Mode(media: media, cloud: cloud)
    }

    struct Mode {
        let media: MediaType
        let cloud: InboundCloudEvent.Mode?
    }

    /// - Throws: the answer to a request that holds too many events, or none at all.
    func read(_ request: InboundRequest, _ mode: Mode, _ body: Bytes, now: Timestamp) throws(InboundAnswer) -> Reading {
        var reading = Reading()
        switch mode.cloud {
        case .binary:
            do {
                // By itself first, or it could bring attributes along.
                if mode.media.isJSON, !body.isEmpty { try JSONParser().parse(body) { _ in } }
                let event = try InboundCloudEvent.structured(request, mode.media, data: body)
                let name = self.scheme == .standardWebhooks ? self.name(in: request) : nil
                self.add(event, named: name, isCloudEvent: true, now, &reading)
            } catch {
                self.reject(body, "\(error)", &reading)
            }
            return reading
        case .structured:
            self.add(body, isCloudEvent: true, now, &reading)
            return reading
        case .batch, nil: break
        }
        let isCloudEvent = mode.cloud == .batch
        // CloudEvents have names of their own.
        let name = isCloudEvent ? nil : self.name(in: request)
        let kind = self.scheme == .github ? request.header("x-github-event") : nil
        do {
            let items = try ItemPage(body, at: []).items
            guard items.count <= HookReader.limit else {
                throw InboundAnswer(problem: 413, "a request holds at most \(HookReader.limit) events")
            }
            for (index, item) in items.enumerated() {
                self.add(
                    item,
                    named: name.map { "\($0.escapingSlashes)/\(index)" },
                    kind,
                    isCloudEvent: isCloudEvent,
                    now,
                    &reading
                )
            }
        } catch let answer as InboundAnswer {
            throw answer
        } catch ItemPageError.noList where !isCloudEvent {
            self.add(body, named: name?.escapingSlashes, kind, isCloudEvent: false, now, &reading)
        } catch {
            self.reject(body, isCloudEvent ? "a batch is a list" : "\(error)", &reading)
        }
        return reading
    }

    /// Reads an event as it would come here, its request unseen.
    func event(_ data: Bytes, now: Timestamp) throws -> Event {
        let isCloudEvent = try JSONParser().parse(data) { $0["specversion"] != nil && $0["source"] != nil }
        return try self.event(data, named: nil, nil, isCloudEvent: isCloudEvent, now) { data.contentID }
    }

    /// What the sender calls this message, and calls it again when it repeats it. Slack and Stripe sign no such header:
    /// whoever has seen one request could make many of it.
    private func name(in request: InboundRequest) -> String? {
        switch self.scheme {
        case .slack, .stripe: nil
        case .github: request.header("x-github-delivery")?.eventID
        default: request.header("webhook-id")?.eventID
        }
    }

    private func add(
        _ data: Bytes,
        named name: String? = nil,
        _ kind: String? = nil,
        isCloudEvent: Bool,
        _ now: Timestamp,
        _ reading: inout Reading
    ) {
        do {
            let event = try self.event(data, named: name, kind, isCloudEvent: isCloudEvent, now) {
                // Of the bytes it cannot be: a button that is pressed twice says the same twice.
                "hook-" + (0..<16).map { _ in UInt8.random(in: 0...255) }.hex
            }
            reading.events.append(event)
        } catch {
            self.reject(data, "\(error)", &reading)
        }
    }

    private func reject(_ data: Bytes, _ reason: String, _ reading: inout Reading) {
        // Enough to know it by.
        let start = data.count > HookReader.keptLimit ? data[0..<HookReader.keptLimit].copy() : data
        reading.rejected.append(RejectedEvent(data: start, reason: reason))
    }

    private func event(
        _ data: Bytes,
        named name: String?,
        _ kind: String?,
        isCloudEvent: Bool,
        _ now: Timestamp,
        unnamed: () -> String
    ) throws -> Event {
        guard isCloudEvent else {
            let name = self.isIDConfigured ? nil : name
            return try self.fields.event(data, source: self.source, id: name, kind: kind, now: now, unnamed: unnamed)
        }
        let (cloud, task) = try JSONParser().parse(data) { json in
            (try InboundCloudEvent(json), self.fields.task(in: json))
        }
        return Event(
            source: self.source,
            id: name ?? cloud.key.eventID ?? cloud.key,
            kind: cloud.type,
            time: cloud.time ?? now,
            task: task ?? cloud.subject,
            data: data
        )
    }
}

extension String {
    /// So that no message's name is that of a list's element.
    fileprivate var escapingSlashes: String { self.replacing("%", with: "%25").replacing("/", with: "%2F") }
}
