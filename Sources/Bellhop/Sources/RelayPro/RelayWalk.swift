import BellhopCore

/// Decides what to ask the Relay Pro events API next: the one parameter is `oldest`, a page has at most 100 events, and
/// neither order nor inclusiveness is promised. Pure: it never waits and never sends.
///
/// A sweep walks from an overlap before the newest event that was read to the end, page by page. Full pages move the
/// walk to just before their newest event, in the documented form of whole seconds where that makes progress.
struct RelayWalk {
    struct Settings: Hashable {
        var overlap: Duration = .seconds(120)
        var startFrom: Duration = .seconds(7 * 86_400)
        var limit = 100
    }

    /// One request: `oldest` as text, and how many events.
    struct Request: Hashable {
        let oldest: String
        let limit: Int
        /// The answer tells only which end of the events the server starts from.
        let isProbe: Bool
        /// `oldest` has a fraction, which is not documented and may be refused.
        let hasFraction: Bool
    }

    enum Step: Hashable {
        case ask(Request)
        /// The sweep is over; `complete` unless there may be more that this server did not give out.
        case done
    }

    /// What the server hands out when there are more events than fit a page.
    private enum Selection { case oldestFirst, newestFirst }

    /// Everything up to here has been read.
    private(set) var covered: Timestamp
    /// Nothing before this was ever asked for.
    private let origin: Timestamp
    private let settings: Settings
    private(set) var lossReports: [String] = []
    private var told: Set<String> = []

    private var cursor: Timestamp
    private var precise = false
    private var selection: Selection?
    private var fractionsRefused = false
    private var largestPage = 0
    private var probed: [Timestamp] = []

    init(_ settings: Settings, from checkpoint: Checkpoint?, now: Timestamp) {
        self.settings = settings
        let position = checkpoint.flatMap { RelayPosition($0.position) }
        self.origin = position?.origin ?? (now - settings.startFrom)
        // A clock that was wrong must not keep the walk in the future.
        self.covered = min(position?.covered ?? self.origin, now)
        self.cursor = self.covered
    }

    var checkpoint: Checkpoint {
        Checkpoint(
            position: RelayPosition(covered: self.covered, origin: self.origin).text,
            horizon: (self.covered - self.settings.overlap).flooredToSecond
        )
    }

    /// The newest end is cut off when more comes than a page holds between two polls: ask more often.
    var wantsShortInterval: Bool { self.selection == .newestFirst }

    mutating func startSweep() -> Request {
        self.cursor = max(self.covered - self.settings.overlap, self.origin).flooredToSecond
        self.precise = false
        self.largestPage = 0
        return self.request()
    }

    /// Takes a page and says how to go on. The page's events can be committed with ``checkpoint`` afterwards.
    mutating func receive(times: [Timestamp], count: Int, now: Timestamp) -> Step {
        self.largestPage = max(self.largestPage, count)
        let isFull = count >= self.settings.limit
        guard let oldest = times.min(), let newest = times.max() else {
            if isFull { self.report("a full page had no event with a time, so what follows it cannot be asked for") }
            return .done
        }
        // Also an ascending page may hold the newest events, and older ones be missing.
        if isFull && self.selection == nil {
            self.probed = times
            return .ask(self.request(limit: 1, isProbe: true))
        }
        // An event from the future (a device's wrong clock) must not make the walk skip the present.
        let present = times.filter { $0 <= now }.max()
        let before = self.covered
        self.covered = max(self.covered, present ?? self.covered)
        if isFull && self.selection == .newestFirst {
            if oldest > before {
                self.report(
                    "the API gives out only the newest \(self.settings.limit) events: those between \(before) and \(oldest) "
                        + "cannot be asked for"
                )
            }
            return .done
        }
        guard isFull || self.mayBeCut(count) else { return .done }
        if let present, let step = self.advance(past: present) { return step }
        if let step = self.advance(past: newest) { return step }
        return isFull ? self.stepOver(newest) : .done
    }

    /// Takes the answer to a probe: which end the server starts from.
    mutating func receiveProbe(_ times: [Timestamp], now: Timestamp) -> Step {
        let page = self.probed
        self.probed = []
        if let first = times.first, let oldest = page.min() {
            self.selection = first <= oldest ? .oldestFirst : .newestFirst
        } else {
            // Its one event has no time. Oldest first is what the vendor's page suggests.
            self.selection = .oldestFirst
            self.report(
                "whether the API gives out the oldest or the newest events cannot be told: the first has no time"
            )
        }
        return self.receive(times: page, count: self.settings.limit, now: now)
    }

    /// A server may hold itself to smaller pages than it was asked for: then the largest of a sweep are full.
    private func mayBeCut(_ count: Int) -> Bool {
        count >= 10 && count == self.largestPage && self.selection != .newestFirst
    }

    /// The server has refused a request whose `oldest` has a fraction.
    mutating func fractionRefused() -> Step {
        self.fractionsRefused = true
        let second = self.cursor.flooredToSecond
        self.report(
            "more than \(self.settings.limit) events in the second \(second.formatted(.seconds)), and the API refuses "
                + "fractions of a second: the rest of that second cannot be asked for"
        )
        return self.move(to: second + .seconds(1), precise: false)
    }

    /// Losses that were not handed out before.
    mutating func takeLossReports() -> [String] {
        defer { self.lossReports = [] }
        return self.lossReports
    }

    // MARK: - Moving

    private static let microsecond = Duration.microseconds(1)

    /// Nil where no request beyond the last one would still hold everything newer than what was read.
    private mutating func advance(past newest: Timestamp) -> Step? {
        let safe = self.secondBefore(newest)
        if safe > self.cursor { return self.move(to: safe, precise: false) }
        let exact = self.microsecondBefore(newest)
        guard !self.fractionsRefused, exact > self.cursor else { return nil }
        return self.move(to: exact, precise: true)
    }

    /// A full page from which no request leads on without leaving something out: says so, and steps by as little as possible.
    private mutating func stepOver(_ newest: Timestamp) -> Step {
        if newest < self.cursor {
            // Older than asked for: the server did not understand 'oldest', or takes no notice of it.
            if self.precise { return self.fractionRefused() }
            self.report("the API answers with events older than were asked for, so newer ones cannot be asked for")
            return .done
        }
        if self.fractionsRefused { return self.fractionRefused() }
        self.report(
            "more than \(self.settings.limit) events at \(newest): the API cannot be asked for the rest of them"
        )
        return self.move(to: max(self.cursor + RelayWalk.microsecond, newest), precise: true)
    }

    /// Strictly before the newest event, whether the server takes `oldest` as inclusive or exclusive: events of the very
    /// same time that the page had no room for come with the next one.
    private func secondBefore(_ newest: Timestamp) -> Timestamp { (newest - RelayWalk.microsecond).flooredToSecond }

    private func microsecondBefore(_ newest: Timestamp) -> Timestamp {
        let time = newest - RelayWalk.microsecond
        return Timestamp(nanoseconds: time.nanoseconds - (time.nanoseconds % 1000 + 1000) % 1000)
    }

    private mutating func move(to time: Timestamp, precise: Bool) -> Step {
        self.cursor = time
        self.precise = precise
        return .ask(self.request())
    }

    private func request(limit: Int? = nil, isProbe: Bool = false) -> Request {
        Request(
            oldest: self.cursor.formatted(self.precise ? .microseconds : .seconds),
            limit: limit ?? self.settings.limit,
            isProbe: isProbe,
            hasFraction: self.precise
        )
    }

    /// Once per stretch: what was said is not said again in each sweep that meets the same events.
    private mutating func report(_ loss: String) {
        if self.told.count >= 1000 { self.told = [] }
        guard self.told.insert(loss).inserted else { return }
        self.lossReports.append(loss)
    }
}

/// The text of a Relay Pro checkpoint: `covered=… origin=…`.
struct RelayPosition: Hashable {
    let covered: Timestamp
    let origin: Timestamp

    init(covered: Timestamp, origin: Timestamp) {
        self.covered = covered
        self.origin = origin
    }

    init?(_ text: String) {
        var fields: [Substring: Substring] = [:]
        for word in text.split(separator: " ") {
            let parts = word.split(separator: "=", maxSplits: 1)
            if parts.count == 2 { fields[parts[0]] = parts[1] }
        }
        guard let covered = fields["covered"].flatMap({ Timestamp($0) }),
            let origin = fields["origin"].flatMap({ Timestamp($0) })
        else { return nil }
        self.init(covered: covered, origin: origin)
    }

    var text: String { "covered=\(self.covered.formatted(.nanoseconds)) origin=\(self.origin.formatted(.nanoseconds))" }
}
