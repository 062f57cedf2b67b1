/// Durations and sizes as users write them: a number and its unit.
package enum Quantity {
    /// `500ms`, `10s`, `5m`, `2h`, `7d`, `1.5h`; nil for anything else.
    package static func duration(_ text: String) -> Duration? {
        let units: [String: Double] = ["ms": 1e6, "s": 1e9, "m": 60e9, "h": 3600e9, "d": 86_400e9]
        return self.parse(text, units).map { .nanoseconds($0) }
    }

    /// Bytes: `512B`, `64KB` (1,000 bytes each), `64KiB` (1,024), `100MB`, `10GB`; nil for anything else.
    package static func size(_ text: String) -> Int64? {
        let units: [String: Double] = [
            "B": 1, "KB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12,
            "KiB": 1024, "MiB": 1_048_576, "GiB": 1_073_741_824, "TiB": 1_099_511_627_776,
        ]
        return self.parse(text, units)
    }

    /// The shortest exact form: `90s`, `2m`, `7d`, `500ms`.
    package static func format(_ duration: Duration) -> String {
        let milliseconds = duration.milliseconds
        for (unit, length) in [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000)] as [(String, Int64)]
        where milliseconds != 0 && milliseconds % length == 0 {
            return "\(milliseconds / length)\(unit)"
        }
        return milliseconds == 0 ? "0s" : "\(milliseconds)ms"
    }

    /// About how long, for people: `80ms`, `3.2s`, `42s`, `4m 10s`, `2h 5m`, `3d 4h`.
    package static func approximate(_ duration: Duration) -> String {
        let seconds = Int64(max(0, duration.inSeconds))
        switch seconds {
        case ..<10:
            let tenths = max(0, duration.milliseconds) / 100
            return tenths == 0 ? "\(max(0, duration.milliseconds))ms" : "\(tenths / 10).\(tenths % 10)s"
        case ..<60: return "\(seconds)s"
        case ..<3600: return "\(seconds / 60)m \(seconds % 60)s"
        case ..<86_400: return "\(seconds / 3600)h \(seconds / 60 % 60)m"
        default: return "\(seconds / 86_400)d \(seconds / 3600 % 24)h"
        }
    }

    private static func parse(_ text: String, _ units: [String: Double]) -> Int64? {
        let digits = text.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
        guard let value = Double(digits), let unit = units[String(text.dropFirst(digits.count))] else { return nil }
        let product = value * unit
        return product < 9.2e18 ? Int64(product.rounded()) : nil
    }
}
