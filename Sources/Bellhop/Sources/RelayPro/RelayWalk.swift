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
    private var lossStretch: String?

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
        let before = self.covered
        if !isFull {
            self.cover(newest, now)
            // A server may hold itself to smaller pages than it was asked for.
            let safe = self.secondBefore(newest)
            guard count >= 10, count == self.largestPage, safe > self.cursor, self.selection != .newestFirst else {
                return .done
            }
            return self.move(to: safe, precise: false)
        }
        if !self.isAscending(times) && self.selection == nil {
            self.probed = times
            return .ask(self.request(limit: 1, isProbe: true))
        }
        self.cover(newest, now)
        if self.selection == .newestFirst && !self.isAscending(times) {
            if oldest > before {
                self.report(
                    "the API gives out only the newest \(self.settings.limit) events: those between \(before) and \(oldest) "
                        + "cannot be asked for"
                )
            }
            return .done
        }
        return self.advance(past: newest)
    }

    /// Takes the answer to a probe: which end the server starts from.
    mutating func receiveProbe(_ times: [Timestamp], now: Timestamp) -> Step {
        let page = self.probed
        self.probed = []
        guard let first = times.first, let oldest = page.min() else { return .done }
        self.selection = first <= oldest ? .oldestFirst : .newestFirst
        return self.receive(times: page, count: self.settings.limit, now: now)
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

    private mutating func advance(past newest: Timestamp) -> Step {
        let safe = self.secondBefore(newest)
        if safe > self.cursor { return self.move(to: safe, precise: false) }
        guard !self.fractionsRefused else {
            // Whole seconds only, and this one holds more than a page.
            return self.fractionRefused()
        }
        let exact = self.microsecondBefore(newest)
        if exact > self.cursor { return self.move(to: exact, precise: true) }
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

    /// An event from the future (a device's wrong clock) must not make the walk skip the present.
    private mutating func cover(_ newest: Timestamp, _ now: Timestamp) {
        self.covered = max(self.covered, min(newest, now))
    }

    private func isAscending(_ times: [Timestamp]) -> Bool {
        zip(times, times.dropFirst()).allSatisfy { $0 <= $1 }
    }

    /// Once per stretch: what was said is not said again in each sweep that meets the same events.
    private mutating func report(_ loss: String) {
        guard self.lossStretch != loss else { return }
        self.lossStretch = loss
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
