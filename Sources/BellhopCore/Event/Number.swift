/// A JSON number: integers of 64 bits exactly, others as binary64.
package enum Number: Sendable, Hashable {
    case integer(Int64)
    /// Only what does not fit ``integer(_:)``.
    case unsigned(UInt64)
    case binary64(Double)

    /// Reads a number as JSON writes it (RFC 8259 §6); nil for anything else.
    package init?(_ text: some StringProtocol) {
        guard Number.isJSON(text) else { return nil }
        if let integer = Int64(text) {
            self = .integer(integer)
        } else if let unsigned = UInt64(text) {
            self = .unsigned(unsigned)
        } else if let double = Double(text) {
            self = .binary64(double)
        } else {
            return nil
        }
    }

    /// The nearest binary64.
    package var double: Double {
        switch self {
        case .integer(let value): Double(value)
        case .unsigned(let value): Double(value)
        case .binary64(let value): value
        }
    }

    private static func isJSON(_ text: some StringProtocol) -> Bool {
        var rest = Array(text.utf8)[...]
        func digits() -> Int {
            let count = rest.prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }.count
            rest.removeFirst(count)
            return count
        }
        if rest.first == UInt8(ascii: "-") { rest.removeFirst() }
        let leadingZero = rest.first == UInt8(ascii: "0")
        let whole = digits()
        guard whole > 0, !(leadingZero && whole > 1) else { return false }
        if rest.first == UInt8(ascii: ".") {
            rest.removeFirst()
            guard digits() > 0 else { return false }
        }
        if let exponent = rest.first, exponent | 0x20 == UInt8(ascii: "e") {
            rest.removeFirst()
            if let sign = rest.first, sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-") { rest.removeFirst() }
            guard digits() > 0 else { return false }
        }
        return rest.isEmpty
    }
}

extension Number: Comparable {
    package static func == (left: Number, right: Number) -> Bool {
        switch (left, right) {
        case (.integer(let one), .integer(let other)): one == other
        case (.unsigned(let one), .unsigned(let other)): one == other
        case (.integer, .unsigned), (.unsigned, .integer): false
        default: left.double == right.double
        }
    }

    package static func < (left: Number, right: Number) -> Bool {
        switch (left, right) {
        case (.integer(let one), .integer(let other)): one < other
        case (.unsigned(let one), .unsigned(let other)): one < other
        case (.integer, .unsigned): true
        case (.unsigned, .integer): false
        default: left.double < right.double
        }
    }

    package func hash(into hasher: inout Hasher) {
        hasher.combine(self.double)
    }
}

extension Number: CustomStringConvertible {
    package var description: String {
        switch self {
        case .integer(let value): "\(value)"
        case .unsigned(let value): "\(value)"
        case .binary64(let value): value == value.rounded() && abs(value) < 1e15 ? "\(Int64(value))" : "\(value)"
        }
    }
}
