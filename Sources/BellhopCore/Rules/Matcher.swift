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
    case during(TimeWindow)
    /// Found anywhere in a text.
    case regex(RegularExpression)
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
        case .during(let window): return leaf.utf8.flatMap { Timestamp(utf8: $0) }.map { window.contains($0) } ?? false
        case .regex(let regex): return leaf.utf8.map { regex.isFound(in: $0) } ?? false
        case .anythingBut(let matchers): return !matchers.contains { $0.accepts(leaf) }
        case .exists(let exists): return exists
        }
    }
}

extension Matcher: CustomStringConvertible {
    /// As a rule would write it.
    package var description: String {
        switch self {
        case .null: "null"
        case .bool(let bool): "\(bool)"
        case .number(let number): "\(number)"
        case .string(let text): text.ignoresCase ? "{ equals-ignore-case: \(text.text) }" : JSONText.string(text.text)
        case .prefix(let text): "{ prefix: \(text) }"
        case .suffix(let text): "{ suffix: \(text) }"
        case .wildcard(let wildcard): "{ wildcard: \(JSONText.string(wildcard.source)) }"
        case .range(let range): "{ numeric: \(range) }"
        case .cidr(let range): "{ cidr: \(range) }"
        case .after(let time): "{ after: \(time) }"
        case .before(let time): "{ before: \(time) }"
        case .during(let window): "{ during: \(window) }"
        case .regex(let regex): "{ regex: \(JSONText.string(regex.source)) }"
        case .anythingBut(let matchers):
            "{ anything-but: \(matchers.count == 1 ? matchers[0].description : "[\(Matcher.list(matchers))]") }"
        case .exists(let exists): "{ exists: \(exists) }"
        }
    }

    static func list(_ matchers: [Matcher]) -> String { matchers.map(\.description).joined(separator: ", ") }
}

extension Matcher.Text: CustomStringConvertible {
    package var description: String {
        self.ignoresCase ? "{ equals-ignore-case: \(JSONText.string(self.text)) }" : JSONText.string(self.text)
    }
}
