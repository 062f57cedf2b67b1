/// Days and hours by the clocks of a place: shifts, quiet hours.
///
/// Hours are wall time. Where clocks go forward the skipped hour is in no window; where they go back the repeated one is
/// in twice.
package struct TimeWindow: Sendable, Hashable {
    /// Minutes from midnight, the end not included. An end at or before the start is on the next day.
    package struct Hours: Sendable, Hashable {
        package let start: Int64
        package let end: Int64
    }

    /// The days on which the hours begin.
    package let days: Set<Weekday>
    package let hours: [Hours]
    package let zone: Zone

    package func contains(_ time: Timestamp) -> Bool {
        let local = LocalTime(time, in: self.zone)
        return self.hours.contains { hours in
            let (start, end, now) = (hours.start * 60, hours.end * 60, local.secondOfDay)
            if start < end { return self.days.contains(local.weekday) && start <= now && now < end }
            return (self.days.contains(local.weekday) && start <= now)
                || (self.days.contains(local.weekday.before) && now < end)
        }
    }
}

extension TimeWindow.Hours: CustomStringConvertible {
    static let wholeDay = TimeWindow.Hours(start: 0, end: 24 * 60)

    /// Reads `22:00-06:00`; `24:00` is the end of a day. Nil for anything else, and where both ends are the same.
    package init?(_ text: String) {
        let ends = text.split(separator: "-", omittingEmptySubsequences: false).map {
            Self.minutes(String($0).trimmingSpaces)
        }
        guard ends.count == 2, let start = ends[0], let end = ends[1], start < 24 * 60, start != end else { return nil }
        self.start = start
        self.end = end
    }

    private static func minutes(_ text: String) -> Int64? {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, (1...2).contains(parts[0].count), parts[1].count == 2,
            parts.allSatisfy({ $0.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) } }),
            let hour = Int64(parts[0]), let minute = Int64(parts[1]), minute < 60,
            hour < 24 || (hour == 24 && minute == 0)
        else { return nil }
        return hour * 60 + minute
    }

    package var description: String { "\(Self.clock(self.start))-\(Self.clock(self.end))" }

    private static func clock(_ minutes: Int64) -> String {
        let (hour, minute) = (minutes / 60, minutes % 60)
        return "\(hour < 10 ? "0" : "")\(hour):\(minute < 10 ? "0" : "")\(minute)"
    }
}

extension TimeWindow: CustomStringConvertible {
    package var description: String {
        var parts: [String] = []
        if self.days.count < 7 { parts.append("days: [\(self.days.sorted().map(\.short).joined(separator: ", "))]") }
        if self.hours != [.wholeDay] {
            parts.append("hours: \(self.hours.count == 1 ? "\(self.hours[0])" : "\(self.hours)")")
        }
        return "{ \((parts + ["zone: \(self.zone.name)"]).joined(separator: ", ")) }"
    }
}

/// Reads `during: { days: mon-fri, hours: "22:00-06:00", zone: Europe/Berlin }`.
struct TimeWindowReader {
    let diagnostics: Diagnostics
    let zones: Zones

    func window(_ setting: Setting) -> TimeWindow? {
        guard setting.members != nil else {
            let form = "{ days: mon-fri, hours: 22:00-06:00, zone: Europe/Berlin }"
            self.diagnostics.error("'during' is a mapping like \(form), not \(setting.shown)", at: setting.place)
            return nil
        }
        let options = OptionReader(setting, owner: "'during'", diagnostics: self.diagnostics)
        let dayOption = options.optional("days")
        let hourOption = options.optional("hours")
        let days = dayOption.map { self.days($0) } ?? Set(Weekday.allCases)
        let hours = hourOption.map { self.hours($0) } ?? [.wholeDay]
        let zone = self.zone(options)
        options.finish()
        if dayOption == nil, hourOption == nil {
            self.diagnostics.error("'during' needs 'days' or 'hours', or it is always", at: setting.place)
        }
        guard let days, let hours, let zone else { return nil }
        return TimeWindow(days: days, hours: hours, zone: zone)
    }

    private func zone(_ options: OptionReader) -> Zone? {
        let name = options.requiredString("zone", "whose clocks count, like Europe/Berlin or UTC")
        guard !name.isEmpty else { return nil }
        if let zone = self.zones[name] { return zone }
        self.diagnostics.error(
            "there is no time zone '\(name)' on this machine; write one like Europe/Berlin (and see that tzdata is installed)",
            at: options.place(of: "zone")
        )
        return nil
    }

    private func days(_ setting: Setting) -> Set<Weekday>? {
        var days: Set<Weekday> = []
        for element in setting.elementsOrSelf {
            let text = element.text?.lowercased() ?? ""
            let ends = text.split(separator: "-", omittingEmptySubsequences: false).map { end in
                Weekday.allCases.first { $0.short == end || $0.name.lowercased() == end }
            }
            guard (1...2).contains(ends.count), let first = ends.first ?? nil, let last = ends.last ?? nil else {
                let example = "mon, tue-thu or [sat, sun]"
                self.diagnostics.error("'days' are like \(example), not \(element.shown)", at: element.place)
                return nil
            }
            var day = first
            days.insert(day)
            while day != last {
                day = Weekday.allCases[(day.rawValue + 1) % 7]
                days.insert(day)
            }
        }
        if days.isEmpty { self.diagnostics.error("'days' is empty, so no time is ever in it", at: setting.place) }
        return days.isEmpty ? nil : days
    }

    private func hours(_ setting: Setting) -> [TimeWindow.Hours]? {
        var hours: [TimeWindow.Hours] = []
        for element in setting.elementsOrSelf {
            guard let read = element.text.flatMap({ TimeWindow.Hours($0) }) else {
                let form = "22:00-06:00, from 00:00 to 24:00, with two different ends"
                self.diagnostics.error("'hours' are like \(form), not \(element.shown)", at: element.place)
                return nil
            }
            hours.append(read)
        }
        if hours.isEmpty { self.diagnostics.error("'hours' is empty, so no time is ever in it", at: setting.place) }
        return hours.isEmpty ? nil : hours
    }
}
