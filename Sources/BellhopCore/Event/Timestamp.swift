/// A moment, as nanoseconds since 1970-01-01T00:00:00Z without leap seconds; 1678 to 2261.
///
/// Not `Date`: that is a binary64 and turns .923947 into .923946857.
package struct Timestamp: Sendable, Hashable, Comparable {
    package let nanoseconds: Int64

    package init(nanoseconds: Int64) {
        self.nanoseconds = nanoseconds
    }

    package init(seconds: Int64) {
        self.nanoseconds = seconds.multipliedReportingOverflow(by: 1_000_000_000).partialValue
    }

    package static let distantPast = Timestamp(nanoseconds: .min)
    package static let distantFuture = Timestamp(nanoseconds: .max)

    package static func < (left: Timestamp, right: Timestamp) -> Bool { left.nanoseconds < right.nanoseconds }

    /// Stops at the ends of the range instead of overflowing.
    package static func + (time: Timestamp, duration: Duration) -> Timestamp {
        let (sum, overflow) = time.nanoseconds.addingReportingOverflow(duration.nanoseconds)
        guard overflow else { return Timestamp(nanoseconds: sum) }
        return duration < .zero ? .distantPast : .distantFuture
    }

    package static func - (time: Timestamp, duration: Duration) -> Timestamp { time + (.zero - duration) }

    package static func - (later: Timestamp, earlier: Timestamp) -> Duration {
        let (difference, overflow) = later.nanoseconds.subtractingReportingOverflow(earlier.nanoseconds)
        guard overflow else { return .nanoseconds(difference) }
        return .nanoseconds(later < earlier ? Int64.min : Int64.max)
    }

    /// Whole seconds since 1970, rounded down.
    package var seconds: Int64 {
        let (quotient, remainder) = self.nanoseconds.quotientAndRemainder(dividingBy: 1_000_000_000)
        return remainder < 0 ? quotient - 1 : quotient
    }

    /// The start of this second.
    package var flooredToSecond: Timestamp { Timestamp(seconds: self.seconds) }
}

extension Duration {
    /// Nanoseconds, clamped to 292 years either way.
    package var nanoseconds: Int64 {
        let (seconds, attoseconds) = self.components
        let (product, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        guard !overflow else { return seconds < 0 ? .min : .max }
        let (sum, carried) = product.addingReportingOverflow(attoseconds / 1_000_000_000)
        return carried ? (seconds < 0 ? .min : .max) : sum
    }

    package var milliseconds: Int64 { self.nanoseconds / 1_000_000 }
    package var inSeconds: Double { Double(self.nanoseconds) / 1e9 }
}

// MARK: - Reading

extension Timestamp {
    /// Reads RFC 3339 and what servers write instead of it: any number of fractional digits (beyond nine are cut), `Z`,
    /// `+00:00`, `-0400`, `+00:00:00`, lower-case `t` and `z`, a space for the `T` and before the zone, hours of one
    /// digit, no zone (UTC), and the leap second `:60`. Nil for anything else.
    package init?(_ text: some StringProtocol) {
        var text = String(text)
        guard let time = text.withUTF8({ Timestamp(utf8: UnsafeRawBufferPointer($0)) }) else { return nil }
        self = time
    }

    package init?(utf8: UnsafeRawBufferPointer) {
        var reader = DigitReader(rest: utf8[...])
        guard let year = reader.number(4...4), reader.skip("-"),
            let month = reader.number(2...2), reader.skip("-"),
            let day = reader.number(2...2),
            reader.skip("T") || reader.skip("t") || reader.skip(" "),
            let hour = reader.number(1...2), reader.skip(":"),
            let minute = reader.number(2...2)
        else { return nil }
        var second: Int64 = 0
        var fraction: Int64 = 0
        if reader.skip(":") {
            guard let whole = reader.number(2...2) else { return nil }
            second = whole
            if reader.skip(".") || reader.skip(",") {
                guard let nanoseconds = reader.fraction() else { return nil }
                fraction = nanoseconds
            }
        }
        guard let offset = reader.zone(), reader.rest.isEmpty,
            (1678...2261).contains(year), (1...12).contains(month), hour < 24, minute < 60, second <= 60,
            (1...CivilDate.days(in: month, of: year)).contains(day)
        else { return nil }
        let days = CivilDate(year: year, month: month, day: day).daysSince1970
        let seconds = ((days * 24 + hour) * 60 + minute) * 60 + second - offset
        self.init(nanoseconds: seconds * 1_000_000_000 + fraction)
    }
}

private struct DigitReader {
    var rest: Slice<UnsafeRawBufferPointer>

    mutating func skip(_ character: Unicode.Scalar) -> Bool {
        guard self.rest.first == UInt8(ascii: character) else { return false }
        self.rest.removeFirst()
        return true
    }

    mutating func digit() -> Int64? {
        guard let byte = self.rest.first, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) else { return nil }
        self.rest.removeFirst()
        return Int64(byte - UInt8(ascii: "0"))
    }

    mutating func number(_ length: ClosedRange<Int>) -> Int64? {
        var value: Int64 = 0
        var count = 0
        while count < length.upperBound, let digit = self.digit() {
            value = value * 10 + digit
            count += 1
        }
        return length.contains(count) ? value : nil
    }

    mutating func fraction() -> Int64? {
        var value: Int64 = 0
        var count = 0
        while let digit = self.digit() {
            if count < 9 { value = value * 10 + digit }
            count += 1
        }
        guard count > 0 else { return nil }
        for _ in 0..<max(0, 9 - count) { value *= 10 }
        return value
    }

    /// Seconds east of UTC; no zone is UTC.
    mutating func zone() -> Int64? {
        _ = self.skip(" ")
        if self.rest.isEmpty || self.skip("Z") || self.skip("z") { return 0 }
        let sign: Int64
        if self.skip("+") { sign = 1 } else if self.skip("-") { sign = -1 } else { return nil }
        guard let hours = self.number(2...2) else { return nil }
        var parts: [Int64] = []
        while !self.rest.isEmpty, parts.count < 2 {
            _ = self.skip(":")
            guard let part = self.number(2...2) else { return nil }
            parts.append(part)
        }
        guard hours < 24, parts.allSatisfy({ $0 < 60 }) else { return nil }
        return sign * (hours * 3600 + (parts.first ?? 0) * 60 + (parts.count > 1 ? parts[1] : 0))
    }
}

extension Timestamp {
    /// A number of seconds since 1970, or of milliseconds where it is too large for seconds; nil outside of the range.
    package init?(sinceEpoch number: Double) {
        guard abs(number) < 9e12 else { return nil }
        let seconds = abs(number) >= 1e11 ? number / 1000 : number
        guard abs(seconds) < 9e9 else { return nil }
        self.init(nanoseconds: Int64(seconds * 1e9))
    }

    /// A text like RFC 3339, or a number as of ``init(sinceEpoch:)``.
    package init?(_ leaf: JSONLeaf) {
        let read = leaf.utf8.flatMap { Timestamp(utf8: $0) } ?? leaf.number.flatMap { Timestamp(sinceEpoch: $0.double) }
        guard let read else { return nil }
        self = read
    }
}

// MARK: - Writing

extension Timestamp: CustomStringConvertible {
    package enum Precision: Int { case seconds = 0, milliseconds = 3, microseconds = 6, nanoseconds = 9 }

    /// RFC 3339 in UTC: `2024-08-08T18:25:40.923947Z`; finer digits are cut.
    package func formatted(_ precision: Precision) -> String {
        let seconds = self.seconds
        let day = seconds >= 0 ? seconds / 86_400 : (seconds - 86_399) / 86_400
        let date = CivilDate(daysSince1970: day)
        let ofDay = seconds - day * 86_400
        var text = [UInt8]()
        text.reserveCapacity(32)
        func digits(_ value: Int64, _ width: Int) {
            var divisor: Int64 = 1
            for _ in 1..<width { divisor *= 10 }
            for _ in 0..<width {
                text.append(UInt8(ascii: "0") + UInt8(value / divisor % 10))
                divisor = max(divisor / 10, 1)
            }
        }
        digits(date.year, 4)
        text.append(UInt8(ascii: "-"))
        digits(date.month, 2)
        text.append(UInt8(ascii: "-"))
        digits(date.day, 2)
        text.append(UInt8(ascii: "T"))
        digits(ofDay / 3600, 2)
        text.append(UInt8(ascii: ":"))
        digits(ofDay / 60 % 60, 2)
        text.append(UInt8(ascii: ":"))
        digits(ofDay % 60, 2)
        if precision != .seconds {
            text.append(UInt8(ascii: "."))
            var fraction = self.nanoseconds - seconds &* 1_000_000_000
            for _ in precision.rawValue..<9 { fraction /= 10 }
            digits(fraction, precision.rawValue)
        }
        text.append(UInt8(ascii: "Z"))
        return String(decoding: text, as: UTF8.self)
    }

    /// Microseconds, as Relay Pro writes them.
    package var description: String { self.formatted(.microseconds) }
}

/// A day of the Gregorian calendar (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms").
struct CivilDate {
    let year: Int64
    let month: Int64
    let day: Int64

    init(year: Int64, month: Int64, day: Int64) {
        self.year = year
        self.month = month
        self.day = day
    }

    init(daysSince1970: Int64) {
        let days = daysSince1970 + 719_468
        let era = (days >= 0 ? days : days - 146_096) / 146_097
        let ofEra = days - era * 146_097
        let yearOfEra = (ofEra - ofEra / 1460 + ofEra / 36_524 - ofEra / 146_096) / 365
        let ofYear = ofEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shifted = (5 * ofYear + 2) / 153
        self.day = ofYear - (153 * shifted + 2) / 5 + 1
        self.month = shifted < 10 ? shifted + 3 : shifted - 9
        self.year = yearOfEra + era * 400 + (self.month <= 2 ? 1 : 0)
    }

    var daysSince1970: Int64 {
        let year = self.month <= 2 ? self.year - 1 : self.year
        let era = (year >= 0 ? year : year - 399) / 400
        let ofEra = year - era * 400
        let ofYear = (153 * (self.month + (self.month > 2 ? -3 : 9)) + 2) / 5 + self.day - 1
        return era * 146_097 + ofEra * 365 + ofEra / 4 - ofEra / 100 + ofYear - 719_468
    }

    static func days(in month: Int64, of year: Int64) -> Int64 {
        switch month {
        case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }
}
