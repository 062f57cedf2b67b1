import BellhopCore

/// How a poll asks for what it has not seen.
struct PollCursor: Sendable {
    enum Kind: Hashable, Sendable {
        case none
        /// The newest event's time, less the overlap, in this query parameter.
        case lastTime(query: String)
        case lastID(query: String)
        /// What this field of the last answer held.
        case field(FieldPath, query: String)
        case link
    }

    let kind: Kind
    let overlap: Duration
    let startFrom: Duration

    /// Reads `cursor`, `overlap` and `start_from`.
    init(_ options: OptionReader) {
        self.overlap = options.duration("overlap", default: .seconds(60), in: .zero...(.seconds(86_400)))
        self.startFrom = options.duration(
            "start_from",
            default: .seconds(7 * 86_400),
            in: .zero...(.seconds(3650 * 86_400))
        )
        let setting = options.optional("cursor")
        let cursor = options.nested("cursor")
        let query = cursor.string("query")
        let from = cursor.string("from")
        let field = cursor.string("field")
        let isLink = cursor.bool("link", default: false)
        cursor.finish()
        let isEmpty = setting?.members?.isEmpty != false
        var kind = Kind.none
        switch (query, from, field, isLink) {
        case (nil, nil, nil, true): kind = .link
        case (let query?, "last_time"?, nil, false): kind = .lastTime(query: query)
        case (let query?, "last_id"?, nil, false): kind = .lastID(query: query)
        case (let query?, nil, let field?, false):
            do {
                kind = .field(try FieldPath(dotted: field), query: query)
            } catch {
                options.diagnostics.error("'cursor': \(error) (\(options.owner))", at: options.place(of: "cursor"))
            }
        default:
            guard !isEmpty, let setting else { break }
            let forms =
                "{ query: since, from: last_time }, { query: after, from: last_id }, { query: page, field: next } or { link: true }"
            options.error("'cursor' is \(forms)", setting)
        }
        self.kind = kind
    }

    func field(of body: Bytes) -> String? {
        guard case .field(let path, _) = self.kind else { return nil }
        let text = try? JSONParser().parse(body) { $0[path]?.leaf.text }
        return (text ?? nil).flatMap { $0.isEmpty ? nil : $0 }
    }

    func first(_ place: PollPlace) -> PollQuery {
        switch self.kind {
        case .none, .link: .plain
        case .lastTime(let query):
            .parameter(query, (place.time - self.overlap).flooredToSecond.formatted(.seconds))
        case .lastID(let query): place.cursor.map { .parameter(query, $0) } ?? .plain
        case .field(_, let query): place.cursor.map { .parameter(query, $0) } ?? .plain
        }
    }

    /// Nil when there is nothing more to ask for at the moment.
    func next(after query: PollQuery, _ place: PollPlace, _ answer: HTTPPollSource.Answer, added: Int) -> PollQuery? {
        let next: PollQuery?
        switch self.kind {
        case .none: next = nil
        case .link: next = answer.link.map { .whole($0) }
        case .lastTime: next = added > 0 ? self.first(place) : nil
        case .lastID: next = answer.events.isEmpty ? nil : self.first(place)
        case .field: next = answer.cursor == nil ? nil : self.first(place)
        }
        // The same question would have the same answer.
        return next == query ? nil : next
    }

    /// The path and query of a Link header's `rel="next"` (RFC 8288), where it stays at the same server: the request
    /// carries keys.
    static func next(in header: String, of base: String) -> String? {
        for link in header.split(separator: "<").dropFirst() {
            let parts = link.split(separator: ">", maxSplits: 1)
            guard parts.count == 2,
                parts[1].lowercased().replacing(" ", with: "").contains("rel=\"next\"")
                    || parts[1].lowercased().contains("rel=next")
            else { continue }
            let target = String(parts[0])
            if target.hasPrefix("?") || target.hasPrefix("/") { return target }
            guard let url = try? HTTPURL(target), let own = try? HTTPURL(base), url.origin == own.origin,
                let scheme = target.firstRange(of: "://")
            else { return nil }
            return String(target[scheme.upperBound...].drop { !"/?".contains($0) })
        }
        return nil
    }
}

/// What a request adds to the configured URL.
enum PollQuery: Hashable, Sendable {
    case plain
    case parameter(String, String)
    /// A path and query in place of the URL's, or a query alone.
    case whole(String)

    /// The URL to ask.
    ///
    /// - `base`: the configured one.
    func url(_ base: String) -> String {
        switch self {
        case .plain: return base
        case .parameter(let name, let value):
            return base + (base.contains("?") ? "&" : "?") + "\(name)=\(value.percentEncoded)"
        case .whole(let target):
            if target.hasPrefix("?") { return String(base.prefix { $0 != "?" }) + target }
            let scheme = base.prefix { $0 != ":" }
            let authority = base.dropFirst(scheme.count + 3).prefix { !"/?".contains($0) }
            return "\(scheme)://\(authority)\(target)"
        }
    }
}

/// Where a poll left off.
struct PollPlace: Sendable {
    private(set) var time: Timestamp
    private(set) var cursor: String?
    /// Of the last answer.
    private var oldest: Timestamp

    /// - Throws: ``SourceError`` for a checkpoint that is none.
    init(_ checkpoint: Checkpoint?, _ cursor: PollCursor, now: Timestamp) throws {
        self.time = now - cursor.startFrom + cursor.overlap
        self.oldest = self.time
        guard let checkpoint else { return }
        // "T2026-…Z" or "C…": the newest time, or a cursor.
        switch checkpoint.position.first {
        case "T":
            guard let time = Timestamp(checkpoint.position.dropFirst()) else { fallthrough }
            self.time = time
        case "C": self.cursor = String(checkpoint.position.dropFirst())
        default: throw SourceError("its checkpoint is none of an http_poll source; was the source of another kind?")
        }
    }

    mutating func advance(_ kind: PollCursor, _ events: [Event], field: String?) {
        if let newest = events.map(\.time).max() { self.time = max(self.time, newest) }
        self.oldest = events.map(\.time).min() ?? self.time
        switch kind.kind {
        case .lastID: self.cursor = events.last?.id ?? self.cursor
        case .field: self.cursor = field ?? self.cursor
        case .none, .lastTime, .link: break
        }
    }

    func checkpoint(_ kind: PollCursor) -> Checkpoint {
        let horizon: Timestamp
        switch kind.kind {
        // What was listed is likely to be listed again.
        case .none, .link: horizon = self.oldest
        case .lastTime: horizon = self.time - kind.overlap
        case .lastID, .field: horizon = self.time - .seconds(86_400)
        }
        return Checkpoint(
            position: self.cursor.map { "C\($0)" } ?? "T\(self.time.formatted(.nanoseconds))",
            horizon: horizon
        )
    }
}
