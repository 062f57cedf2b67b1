/// Finds where JSON values begin and end without judging what is inside them, so that one bad element of an array costs
/// only itself and every good one keeps its bytes.
package struct JSONSplitter {
    package enum Failure: Error, Hashable { case truncated, unexpected(offset: Int) }

    private let bytes: UnsafeRawBufferPointer
    private var at: Int

    package init(_ bytes: UnsafeRawBufferPointer) {
        self.bytes = bytes
        self.at = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? 3 : 0
    }

    /// The first byte that is no white space, which is not consumed; nil at the end.
    package mutating func peek() -> UInt8? {
        while self.at < self.bytes.count {
            switch self.bytes[self.at] {
            case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\n"), UInt8(ascii: "\r"): self.at += 1
            default: return self.bytes[self.at]
            }
        }
        return nil
    }

    /// Consumes an array that starts here.
    /// - Returns: where each element stands, without the white space around it.
    package mutating func elements() throws(Failure) -> [Range<Int>] {
        var found: [Range<Int>] = []
        try self.expect(UInt8(ascii: "["))
        if try self.isEmpty(until: UInt8(ascii: "]")) { return [] }
        while true {
            found.append(try self.value())
            if try self.closes(UInt8(ascii: "]")) { return found }
        }
    }

    /// Consumes an object that starts here.
    /// - Returns: where each member's name (with its quotes) and value stand.
    package mutating func members() throws(Failure) -> [(name: Range<Int>, value: Range<Int>)] {
        var found: [(name: Range<Int>, value: Range<Int>)] = []
        try self.expect(UInt8(ascii: "{"))
        if try self.isEmpty(until: UInt8(ascii: "}")) { return [] }
        while true {
            guard self.peek() == UInt8(ascii: "\"") else { throw self.failure() }
            let name = try self.value()
            try self.expect(UInt8(ascii: ":"))
            found.append((name, try self.value()))
            if try self.closes(UInt8(ascii: "}")) { return found }
        }
    }

    /// Consumes one value: up to the comma or bracket that ends it at this depth, strings and nesting respected.
    private mutating func value() throws(Failure) -> Range<Int> {
        guard self.peek() != nil else { throw .truncated }
        let start = self.at
        var depth = 0
        var end = self.at
        while self.at < self.bytes.count {
            let byte = self.bytes[self.at]
            switch byte {
            case UInt8(ascii: "\""):
                try self.string()
                end = self.at
                continue
            case UInt8(ascii: "["), UInt8(ascii: "{"):
                depth += 1
            case UInt8(ascii: "]"), UInt8(ascii: "}"):
                if depth == 0 { return try self.nonEmpty(start..<end) }
                depth -= 1
            case UInt8(ascii: ","), UInt8(ascii: ":"):
                if depth == 0 { return try self.nonEmpty(start..<end) }
            default:
                break
            }
            self.at += 1
            if byte > UInt8(ascii: " ") { end = self.at }
        }
        throw .truncated
    }

    private mutating func string() throws(Failure) {
        self.at += 1
        while self.at < self.bytes.count {
            switch self.bytes[self.at] {
            case UInt8(ascii: "\\"): self.at += 2
            case UInt8(ascii: "\""):
                self.at += 1
                return
            default: self.at += 1
            }
        }
        throw .truncated
    }

    private func nonEmpty(_ range: Range<Int>) throws(Failure) -> Range<Int> {
        guard !range.isEmpty else { throw .unexpected(offset: self.at) }
        return range
    }

    private mutating func expect(_ byte: UInt8) throws(Failure) {
        guard self.peek() == byte else { throw self.failure() }
        self.at += 1
    }

    private mutating func isEmpty(until bracket: UInt8) throws(Failure) -> Bool {
        guard self.peek() == bracket else { return false }
        try self.expect(bracket)
        return true
    }

    private mutating func closes(_ bracket: UInt8) throws(Failure) -> Bool {
        guard let byte = self.peek(), byte == bracket || byte == UInt8(ascii: ",") else { throw self.failure() }
        self.at += 1
        return byte == bracket
    }

    private func failure() -> Failure {
        self.at < self.bytes.count ? .unexpected(offset: self.at) : .truncated
    }
}
