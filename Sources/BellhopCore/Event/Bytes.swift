import CSimdjson

/// An immutable run of bytes inside a buffer that several runs may share.
///
/// Events of one page are slices of that page's buffer: from the socket to the spool their bytes are not copied. Every
/// buffer ends in the padding the JSON parser wants to be able to read.
package struct Bytes: Sendable {
    private let storage: BytesStorage
    package let range: Range<Int>

    /// Bytes that may be read, whatever they hold, behind every buffer.
    package static let padding = Int(BH_JSON_PADDING)

    fileprivate init(storage: BytesStorage, range: Range<Int>) {
        self.storage = storage
        self.range = range
    }

    package init() {
        self.init(copying: UnsafeRawBufferPointer(start: nil, count: 0))
    }

    package init(copying source: UnsafeRawBufferPointer) {
        var builder = BytesBuilder(capacity: source.count)
        builder.append(source)
        self = builder.build()
    }

    package init(_ string: String) {
        var builder = BytesBuilder(capacity: string.utf8.count)
        builder.append(string)
        self = builder.build()
    }

    package var count: Int { self.range.count }
    package var isEmpty: Bool { self.range.isEmpty }

    /// The bytes as text; what is not UTF-8 is replaced.
    package var string: String {
        self.withUnsafeBytes { String(decoding: $0, as: UTF8.self) }
    }

    /// A part of these bytes in the same buffer; `bounds` counts from the start of this run.
    package subscript(bounds: Range<Int>) -> Bytes {
        let lower = self.range.lowerBound + bounds.lowerBound
        return Bytes(storage: self.storage, range: lower..<lower + bounds.count)
    }

    /// Lends the bytes for the length of the call. ``padding`` more bytes behind them are readable.
    package func withUnsafeBytes<Result, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        let start = UnsafeRawPointer(self.storage.base + self.range.lowerBound)
        return try body(UnsafeRawBufferPointer(start: start, count: self.range.count))
    }

    /// The same bytes in a buffer of their own, which keeps a large shared one from living on.
    package func copy() -> Bytes { self.withUnsafeBytes { Bytes(copying: $0) } }

    /// The address of the bytes, valid as long as somebody keeps this value (or a slice of it) alive.
    package var unsafeStart: UnsafeRawPointer { UnsafeRawPointer(self.storage.base + self.range.lowerBound) }
}

extension Bytes: Hashable {
    package static func == (left: Bytes, right: Bytes) -> Bool {
        left.withUnsafeBytes { one in
            right.withUnsafeBytes { other in one.count == other.count && one.elementsEqual(other) }
        }
    }

    package func hash(into hasher: inout Hasher) {
        self.withUnsafeBytes { hasher.combine(bytes: $0) }
    }
}

/// Collects bytes of unknown length; what it has built is never written again.
package struct BytesBuilder: ~Copyable {
    private var storage: BytesStorage
    package private(set) var count = 0

    package init(capacity: Int = 0) {
        self.storage = BytesStorage(capacity: max(capacity, 64))
    }

    package mutating func append(_ source: UnsafeRawBufferPointer) {
        guard let start = source.baseAddress, source.count > 0 else { return }
        self.reserve(source.count)
        (self.storage.base + self.count).copyMemory(from: start, byteCount: source.count)
        self.count += source.count
    }

    package mutating func append(_ bytes: Bytes) {
        bytes.withUnsafeBytes { self.append($0) }
    }

    package mutating func append(_ string: String) {
        var string = string
        string.withUTF8 { self.append(UnsafeRawBufferPointer($0)) }
    }

    package mutating func append(_ byte: UInt8) {
        self.reserve(1)
        self.storage.base.storeBytes(of: byte, toByteOffset: self.count, as: UInt8.self)
        self.count += 1
    }

    /// Lets `fill` write into the room behind the bytes; it returns how many it wrote.
    package mutating func append(
        upTo room: Int,
        _ fill: (UnsafeMutableRawBufferPointer) throws -> Int
    ) rethrows -> Int {
        self.reserve(room)
        let count = try fill(UnsafeMutableRawBufferPointer(start: self.storage.base + self.count, count: room))
        self.count += count
        return count
    }

    /// Where a byte stands last, at `start` or behind it.
    package func lastIndex(of byte: UInt8, from start: Int) -> Int? {
        UnsafeRawBufferPointer(start: self.storage.base, count: self.count)[start...].lastIndex(of: byte)
    }

    package consuming func build() -> Bytes {
        Bytes(storage: self.storage, range: 0..<self.count)
    }

    private mutating func reserve(_ more: Int) {
        let needed = self.count + more
        guard needed > self.storage.capacity else { return }
        let grown = BytesStorage(capacity: max(needed, self.storage.capacity * 2))
        grown.base.copyMemory(from: self.storage.base, byteCount: self.count)
        self.storage = grown
    }
}

/// Owns one allocation.
// @unchecked: written only through the one builder that made it, before any `Bytes` over it exists.
private final class BytesStorage: @unchecked Sendable {
    let base: UnsafeMutableRawPointer
    let capacity: Int

    init(capacity: Int) {
        self.base = .allocate(byteCount: capacity + Bytes.padding, alignment: 16)
        self.capacity = capacity
        // The padding's values do not matter to the parser, but reading memory never written upsets checkers.
        (self.base + capacity).initializeMemory(as: UInt8.self, repeating: 0, count: Bytes.padding)
    }

    deinit { self.base.deallocate() }
}
