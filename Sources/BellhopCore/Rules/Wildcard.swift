import CGlibc

/// A text in which `*` stands for any run of characters; `\*` and `\\` are themselves.
package struct Wildcard: Sendable, Hashable {
    package let source: String
    /// What stands between the asterisks; the first and last are anchored.
    let parts: [[UInt8]]

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

    /// In time linear in the text: memmem searches in two ways at once.
    private static func find(_ part: [UInt8], in text: Slice<UnsafeRawBufferPointer>) -> Int? {
        guard let base = text.base.baseAddress, !part.isEmpty else { return text.startIndex }
        let start = base + text.startIndex
        return bh_find(start, text.count, part, part.count).map { text.startIndex + start.distance(to: $0) }
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
