/// How a time is written: the codes of strftime(3) that people use, in English.
struct TimeFormat: Sendable, Hashable {
    private enum Part: Sendable, Hashable {
        case text(String)
        case code(Unicode.Scalar)
    }

    private let parts: [Part]

    private static let codes = "YymdeHIMSpaAbBjzZFTRs%".unicodeScalars

    /// - Throws: ``TemplateFilterError`` for a code it does not know.
    init(_ text: String) throws(TemplateFilterError) {
        var parts: [Part] = []
        var plain = ""
        var isCode = false
        for scalar in text.unicodeScalars {
            if isCode {
                guard TimeFormat.codes.contains(scalar) else {
                    throw .init("'%\(scalar)' is no known part of a time; write codes like %Y-%m-%d %H:%M:%S %Z")
                }
                parts.append(.code(scalar))
                isCode = false
            } else if scalar == "%" {
                if !plain.isEmpty { parts.append(.text(plain)) }
                plain = ""
                isCode = true
            } else {
                plain.unicodeScalars.append(scalar)
            }
        }
        guard !isCode else { throw .init("'%' at the end is no part of a time; a percent sign is written %%") }
        if !plain.isEmpty { parts.append(.text(plain)) }
        self.parts = parts
    }

    func text(_ time: Timestamp, in zone: Zone) -> String {
        let local = LocalTime(time, in: zone)
        return self.parts
            .map { part in
                switch part {
                case .text(let text): text
                case .code(let code): TimeFormat.text(code, time, local)
                }
            }
            .joined()
    }

    private static func text(_ code: Unicode.Scalar, _ time: Timestamp, _ local: LocalTime) -> String {
        let (hour, minute, second) = (local.secondOfDay / 3600, local.secondOfDay / 60 % 60, local.secondOfDay % 60)
        switch code {
        case "Y": return "\(local.year)"
        case "y": return self.digits(local.year % 100)
        case "m": return self.digits(local.month)
        case "d": return self.digits(local.day)
        case "e": return local.day < 10 ? " \(local.day)" : "\(local.day)"
        case "H": return self.digits(hour)
        case "I": return self.digits((hour + 11) % 12 + 1)
        case "M": return self.digits(minute)
        case "S": return self.digits(second)
        case "p": return hour < 12 ? "AM" : "PM"
        case "a": return String(local.weekday.name.prefix(3))
        case "A": return local.weekday.name
        case "b": return String(self.months[Int(local.month) - 1].prefix(3))
        case "B": return self.months[Int(local.month) - 1]
        case "j": return self.digits(self.dayOfYear(local), 3)
        case "z":
            let offset = abs(local.offset)
            return (local.offset < 0 ? "-" : "+") + self.digits(offset / 3600) + self.digits(offset / 60 % 60)
        case "Z": return local.abbreviation
        case "F": return "\(local.year)-\(self.digits(local.month))-\(self.digits(local.day))"
        case "T": return "\(self.digits(hour)):\(self.digits(minute)):\(self.digits(second))"
        case "R": return "\(self.digits(hour)):\(self.digits(minute))"
        case "s": return "\(time.seconds)"
        default: return "%"
        }
    }

    private static let months = [
        "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
        "December",
    ]

    private static func digits(_ value: Int64, _ width: Int = 2) -> String {
        let text = "\(value)"
        return String(repeating: "0", count: max(0, width - text.utf8.count)) + text
    }

    private static func dayOfYear(_ local: LocalTime) -> Int64 {
        CivilDate(year: local.year, month: local.month, day: local.day).daysSince1970
            - CivilDate(year: local.year, month: 1, day: 1).daysSince1970 + 1
    }
}

extension Timestamp {
    private static let httpFormat = try? TimeFormat("%a, %d %b %Y %H:%M:%S GMT")

    /// As HTTP headers write it (RFC 9110 §5.6.7).
    package var httpDate: String { Timestamp.httpFormat?.text(self, in: .utc) ?? "" }
}
