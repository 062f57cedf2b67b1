/// One test of one leaf.
package indirect enum Matcher: Sendable, Hashable {
    case null
    case bool(Bool)
    case number(Number)
    case string(Text)
    case prefix(Text)
    case suffix(Text)
    case wildcard(Wildcard)
    case range(NumberRange)
    /// A text that is an IP address in the range.
    case cidr(AddressRange)
    /// A text that is a time, from then on; or, with `before`, until then.
    case after(Timestamp)
    case before(Timestamp)
    /// The leaf is there and none of these accepts it.
    case anythingBut([Matcher])
    case exists(Bool)

    /// A text to compare with, by code points, or by letters regardless of their case.
    package struct Text: Sendable, Hashable {
        package let text: String
        package let ignoresCase: Bool
        /// What is compared: in lower case, where that does not matter.
        let utf8: [UInt8]

        package init(_ text: String, ignoresCase: Bool = false) {
            self.text = text
            self.ignoresCase = ignoresCase
            self.utf8 = Array((ignoresCase ? text.lowercased() : text).utf8)
        }

        // By code points too: Swift's == on String would take composed and decomposed letters for the same.
        package static func == (left: Text, right: Text) -> Bool {
            left.ignoresCase == right.ignoresCase && left.utf8 == right.utf8
        }

        package func hash(into hasher: inout Hasher) {
            hasher.combine(self.utf8)
        }

        fileprivate enum Part { case whole, start, end }

        fileprivate func isPart(_ part: Part, of value: UnsafeRawBufferPointer) -> Bool {
            guard self.ignoresCase else { return self.compare(part, value) }
            // Case folding beyond ASCII changes lengths, so it works on the text as a whole.
            return Array(String(decoding: value, as: UTF8.self).lowercased().utf8)
                .withUnsafeBytes { self.compare(part, $0) }
        }

        private func compare(_ part: Part, _ value: UnsafeRawBufferPointer) -> Bool {
            let count = self.utf8.count
            guard part == .whole ? value.count == count : value.count >= count else { return false }
            let from = part == .end ? value.count - count : 0
            return UnsafeRawBufferPointer(rebasing: value[from..<from + count]).elementsEqual(self.utf8)
        }
    }

    /// - `leaf`: nil, or absent, where the field is not there or holds an object.
    func accepts(_ leaf: JSONLeaf?) -> Bool {
        guard let leaf, !leaf.isAbsent else { return self == .exists(false) }
        switch self {
        case .null: return leaf.isNull
        case .bool(let bool): return leaf.bool == bool
        case .number(let number): return leaf.number == number
        case .string(let text): return leaf.utf8.map { text.isPart(.whole, of: $0) } ?? false
        case .prefix(let text): return leaf.utf8.map { text.isPart(.start, of: $0) } ?? false
        case .suffix(let text): return leaf.utf8.map { text.isPart(.end, of: $0) } ?? false
        case .wildcard(let wildcard): return leaf.utf8.map { wildcard.matches($0) } ?? false
        case .range(let range): return leaf.number.map { range.contains($0) } ?? false
        case .cidr(let range): return leaf.string.flatMap { IPAddress($0) }.map { range.contains($0) } ?? false
        case .after(let time): return leaf.utf8.flatMap { Timestamp(utf8: $0) }.map { $0 >= time } ?? false
        case .before(let time): return leaf.utf8.flatMap { Timestamp(utf8: $0) }.map { $0 < time } ?? false
        case .anythingBut(let matchers): return !matchers.contains { $0.accepts(leaf) }
        case .exists(let exists): return exists
        }
    }
}

/// `numeric: [">", 0, "<=", 5]`
package struct NumberRange: Sendable, Hashable {
    package struct Bound: Sendable, Hashable {
        package let number: Number
        package let isInclusive: Bool
    }

    package let lower: Bound?
    package let upper: Bound?

    func contains(_ number: Number) -> Bool {
        if let lower, !(lower.number < number || (lower.isInclusive && lower.number == number)) { return false }
        if let upper, !(number < upper.number || (upper.isInclusive && upper.number == number)) { return false }
        return true
    }

    /// No number can be in it.
    var isEmpty: Bool {
        guard let lower, let upper else { return false }
        if lower.number < upper.number { return false }
        return !(lower.number == upper.number && lower.isInclusive && upper.isInclusive)
    }
}

/// A text in which `*` stands for any run of characters; `\*` and `\\` are themselves.
package struct Wildcard: Sendable, Hashable {
    package let source: String
    /// What stands between the asterisks; the first and last are anchored.
    private let parts: [[UInt8]]

    /// - Throws: ``WildcardError`` for two asterisks in a row and for unknown escapes.
    package init(_ source: String) throws(WildcardError) {
        var parts: [[UInt8]] = [[]]
        var escaped = false
        var afterAsterisk = false
        for byte in source.utf8 {
            if escaped {
                guard byte == UInt8(ascii: "*") || byte == UInt8(ascii: "\\") else { throw .unknownEscape }
                parts[parts.count - 1].append(byte)
                escaped = false
                afterAsterisk = false
            } else if byte == UInt8(ascii: "\\") {
                escaped = true
            } else if byte == UInt8(ascii: "*") {
                guard !afterAsterisk else { throw .doubleAsterisk }
                parts.append([])
                afterAsterisk = true
            } else {
                parts[parts.count - 1].append(byte)
                afterAsterisk = false
            }
        }
        guard !escaped else { throw .unknownEscape }
        self.source = source
        self.parts = parts
    }

    func matches(_ value: UnsafeRawBufferPointer) -> Bool {
        guard let first = self.parts.first, let last = self.parts.last, self.parts.count > 1 else {
            return value.elementsEqual(self.parts.first ?? [])
        }
        guard value.count >= first.count + last.count, value.starts(with: first),
            value.suffix(last.count).elementsEqual(last)
        else { return false }
        var rest = value[first.count..<value.count - last.count]
        // The leftmost place for each part leaves the most room for those after it.
        for part in self.parts.dropFirst().dropLast() {
            guard let start = Wildcard.find(part, in: rest) else { return false }
            rest = rest[(start + part.count)...]
        }
        return true
    }

    private static func find(_ part: [UInt8], in text: Slice<UnsafeRawBufferPointer>) -> Int? {
        guard text.count >= part.count else { return nil }
        for start in text.startIndex...(text.endIndex - part.count)
        where text[start..<start + part.count].elementsEqual(part) {
            return start
        }
        return nil
    }
}

package enum WildcardError: Error, Hashable, CustomStringConvertible {
    case doubleAsterisk
    case unknownEscape

    package var description: String {
        switch self {
        case .doubleAsterisk: "two asterisks in a row mean no more than one; write one"
        case .unknownEscape: "a backslash stands only before * or another backslash"
        }
    }
}
