/// How clocks change every year from now on: a POSIX `TZ` text like `CET-1CEST,M3.5.0,M10.5.0/3` (RFC 9636 §3.3.1).
struct DaylightRule: Sendable, Hashable {
    private let standard: Zone.LocalType
    private let daylight: (type: Zone.LocalType, start: Change, end: Change)?

    /// A moment of each year.
    private struct Change: Sendable, Hashable {
        enum Day: Sendable, Hashable {
            /// A month, which of its weeks (5 is the last), and a weekday, 0 for Sunday.
            case weekday(month: Int64, week: Int64, weekday: Int64)
            /// 1 to 365, never counting 29 February.
            case julian(Int64)
            /// 0 to 365.
            case ordinal(Int64)
        }

        let day: Day
        /// Seconds after the day's local midnight; may be negative, or beyond the day.
        let time: Int64
    }

    static func == (left: DaylightRule, right: DaylightRule) -> Bool {
        left.standard == right.standard && left.daylight?.type == right.daylight?.type
            && left.daylight?.start == right.daylight?.start && left.daylight?.end == right.daylight?.end
    }

    func hash(into hasher: inout Hasher) { hasher.combine(self.standard) }

    /// - Returns: nil for an empty text: there is no such rule.
    /// - Throws: ``ZoneError`` for anything that is none.
    init?(posix text: String) throws(ZoneError) {
        guard !text.isEmpty else { return nil }
        var reader = PosixReader(rest: text.utf8[...])
        guard let name = reader.name(), let offset = reader.time() else { throw .notTZif }
        self.standard = Zone.LocalType(offset: -offset, abbreviation: name)
        guard !reader.rest.isEmpty else {
            self.daylight = nil
            return
        }
        guard let name = reader.name() else { throw .notTZif }
        var summer = -offset + 3600
        if reader.rest.first != UInt8(ascii: ",") {
            guard let offset = reader.time() else { throw .notTZif }
            summer = -offset
        }
        guard let start = reader.change(), let end = reader.change(), reader.rest.isEmpty else { throw .notTZif }
        self.daylight = (Zone.LocalType(offset: summer, abbreviation: name), start, end)
    }

    func type(at second: Int64) -> Zone.LocalType {
        guard let daylight else { return self.standard }
        let local = second + self.standard.offset
        let year = CivilDate(daysSince1970: local >= 0 ? local / 86_400 : (local - 86_399) / 86_400).year
        let start = DaylightRule.second(of: daylight.start, in: year) - self.standard.offset
        let end = DaylightRule.second(of: daylight.end, in: year) - daylight.type.offset
        // South of the equator summer spans the new year.
        let isSummer = start < end ? start <= second && second < end : !(end <= second && second < start)
        return isSummer ? daylight.type : self.standard
    }

    /// Local seconds since 1970.
    private static func second(of change: Change, in year: Int64) -> Int64 {
        let newYear = CivilDate(year: year, month: 1, day: 1).daysSince1970
        let day: Int64
        switch change.day {
        case .ordinal(let ordinal): day = newYear + ordinal
        case .julian(let julian):
            let isLeap = CivilDate.days(in: 2, of: year) == 29
            day = newYear + julian - 1 + (isLeap && julian > 59 ? 1 : 0)
        case .weekday(let month, let week, let weekday):
            let first = CivilDate(year: year, month: month, day: 1).daysSince1970
            let firstWeekday = ((first + 4) % 7 + 7) % 7
            var date = 1 + (weekday - firstWeekday + 7) % 7 + (week - 1) * 7
            while date > CivilDate.days(in: month, of: year) { date -= 7 }
            day = first + date - 1
        }
        return day * 86_400 + change.time
    }

    private struct PosixReader {
        var rest: Substring.UTF8View.SubSequence

        mutating func name() -> String? {
            var name: [UInt8]
            if self.rest.first == UInt8(ascii: "<") {
                name = Array(self.rest.dropFirst().prefix { $0 != UInt8(ascii: ">") })
                self.rest = self.rest.dropFirst(name.count + 2)
            } else {
                name = Array(self.rest.prefix { ($0 | 0x20) >= UInt8(ascii: "a") && ($0 | 0x20) <= UInt8(ascii: "z") })
                self.rest = self.rest.dropFirst(name.count)
            }
            return name.count >= 3 ? String(decoding: name, as: UTF8.self) : nil
        }

        /// `[+-]hh[:mm[:ss]]` in seconds.
        mutating func time() -> Int64? {
            var sign: Int64 = 1
            if let first = self.rest.first, first == UInt8(ascii: "-") || first == UInt8(ascii: "+") {
                sign = first == UInt8(ascii: "-") ? -1 : 1
                self.rest = self.rest.dropFirst()
            }
            guard var seconds = self.number(167).map({ $0 * 3600 }) else { return nil }
            var unit: Int64 = 60
            while unit > 0, self.rest.first == UInt8(ascii: ":") {
                self.rest = self.rest.dropFirst()
                guard let part = self.number(59) else { return nil }
                seconds += part * unit
                unit /= 60
            }
            return sign * seconds
        }

        mutating func number(_ limit: Int64) -> Int64? {
            let digits = self.rest.prefix { $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") }
            guard (1...3).contains(digits.count) else { return nil }
            self.rest = self.rest.dropFirst(digits.count)
            let value = digits.reduce(Int64(0)) { $0 * 10 + Int64($1 - UInt8(ascii: "0")) }
            return value <= limit ? value : nil
        }

        mutating func change() -> Change? {
            guard self.skip(","), let day = self.day() else { return nil }
            var time: Int64 = 7200
            if self.skip("/") {
                guard let written = self.time() else { return nil }
                time = written
            }
            return Change(day: day, time: time)
        }

        private mutating func day() -> Change.Day? {
            if self.skip("M") {
                guard let month = self.number(12), month > 0, self.skip("."), let week = self.number(5), week > 0,
                    self.skip("."), let weekday = self.number(6)
                else { return nil }
                return .weekday(month: month, week: week, weekday: weekday)
            }
            if self.skip("J") { return self.number(365).flatMap { $0 > 0 ? .julian($0) : nil } }
            return self.number(365).map { .ordinal($0) }
        }

        private mutating func skip(_ character: Unicode.Scalar) -> Bool {
            guard self.rest.first == UInt8(ascii: character) else { return false }
            self.rest = self.rest.dropFirst()
            return true
        }
    }
}
