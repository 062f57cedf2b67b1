import BellhopCore

/// The `Retry-After` header (RFC 9110 §10.2.3): seconds, or one of the three date forms of §5.6.7.
package enum RetryAfter {
    /// How long to wait from `now`; never negative. Nil where the text is neither.
    package static func parse(_ text: String, now: Timestamp) -> Duration? {
        let text = text.trimmingSpaces
        // Fractions occur in the wild (Discord).
        if text.first?.isNumber == true, let seconds = Double(text), seconds.isFinite {
            return .milliseconds(Int64((min(max(seconds, 0), 1e9) * 1000).rounded(.up)))
        }
        return self.date(text, now: now).map { max(.zero, $0 - now) }
    }

    private static let months = [
        "Jan": "01", "Feb": "02", "Mar": "03", "Apr": "04", "May": "05", "Jun": "06",
        "Jul": "07", "Aug": "08", "Sep": "09", "Oct": "10", "Nov": "11", "Dec": "12",
    ]

    /// `Sun, 06 Nov 1994 08:49:37 GMT`, `Sunday, 06-Nov-94 08:49:37 GMT`, `Sun Nov  6 08:49:37 1994`
    private static func date(_ text: String, now: Timestamp) -> Timestamp? {
        let words = text.split { $0 == " " || $0 == "," || $0 == "-" }.map(String.init)
        let (day, month, year, time): (String, String, String, String)
        switch words.count {
        case 6 where words[5] == "GMT" || words[5] == "UTC":
            (day, month, year, time) = (words[1], words[2], words[3], words[4])
        case 5: (day, month, year, time) = (words[2], words[1], words[4], words[3])
        default: return nil
        }
        guard let number = self.months[month] else { return nil }
        let padded = day.count == 1 ? "0\(day)" : day
        var full = year
        if year.count == 2, let short = Int(year), let thisYear = Int(now.formatted(.seconds).prefix(4)) {
            // RFC 9110 §5.6.7: more than 50 years ahead is the century before.
            let sameCentury = thisYear / 100 * 100 + short
            full = String(sameCentury > thisYear + 50 ? sameCentury - 100 : sameCentury)
        }
        return Timestamp("\(full)-\(number)-\(padded)T\(time)Z")
    }
}
