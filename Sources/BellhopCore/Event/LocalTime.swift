/// A moment as clocks on a wall show it.
package struct LocalTime: Sendable, Hashable {
    package let year: Int64
    /// 1 to 12.
    package let month: Int64
    /// 1 to 31.
    package let day: Int64
    package let weekday: Weekday
    /// From midnight; a day with a change of clocks has some of them twice, or not at all.
    package let secondOfDay: Int64
    /// Seconds east of UTC.
    package let offset: Int64
    /// The zone's short name, like `CEST`.
    package let abbreviation: String

    package init(_ time: Timestamp, in zone: Zone = .utc) {
        let (offset, abbreviation) = zone.offset(at: time)
        let local = time.seconds + offset
        let days = local >= 0 ? local / 86_400 : (local - 86_399) / 86_400
        let date = CivilDate(daysSince1970: days)
        (self.year, self.month, self.day) = (date.year, date.month, date.day)
        self.weekday = Weekday(daysSince1970: days)
        self.secondOfDay = local - days * 86_400
        self.offset = offset
        self.abbreviation = abbreviation
    }
}

package enum Weekday: Int, Sendable, CaseIterable, Comparable {
    case monday, tuesday, wednesday, thursday, friday, saturday, sunday

    init(daysSince1970 days: Int64) {
        // 1970-01-01 was a Thursday.
        let index = Int(((days + 3) % 7 + 7) % 7)
        self = Weekday.allCases[index]
    }

    package var name: String {
        ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"][self.rawValue]
    }

    /// `mon`: as rules write it.
    package var short: String { String(self.name.prefix(3)).lowercased() }
    var before: Weekday { Weekday.allCases[(self.rawValue + 6) % 7] }

    package static func < (left: Weekday, right: Weekday) -> Bool { left.rawValue < right.rawValue }
}
