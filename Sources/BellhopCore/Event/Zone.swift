/// When the clocks of a place are ahead of UTC, and by how much: one file of the tz database (RFC 9636, "TZif").
///
/// Foundation's TimeZone would bring 30 MB of ICU along.
package struct Zone: Sendable, Hashable {
    package let name: String
    /// The moments when clocks change, ascending, in seconds since 1970.
    private let changes: [Int64]
    /// The type in force from each change on.
    private let typeAfter: [Int]
    private let types: [LocalType]
    /// What holds after the last change.
    private let rule: DaylightRule?

    struct LocalType: Sendable, Hashable {
        /// Seconds east of UTC.
        let offset: Int64
        let abbreviation: String
    }

    package static let utc = Zone(name: "UTC", types: [LocalType(offset: 0, abbreviation: "UTC")])

    private init(name: String, types: [LocalType]) {
        self.name = name
        self.changes = []
        self.typeAfter = []
        self.types = types
        self.rule = nil
    }

    /// Seconds east of UTC at a moment, and what they are called.
    func offset(at time: Timestamp) -> (offset: Int64, abbreviation: String) {
        let second = time.seconds
        if let rule, second >= self.changes.last ?? .min {
            let type = rule.type(at: second)
            return (type.offset, type.abbreviation)
        }
        // The first change later than the moment.
        var (low, high) = (0, self.changes.count)
        while low < high {
            let middle = (low + high) / 2
            if self.changes[middle] <= second { low = middle + 1 } else { high = middle }
        }
        let type = low == 0 ? self.types[0] : self.types[self.typeAfter[low - 1]]
        return (type.offset, type.abbreviation)
    }

    /// - `tzif`: the file's bytes, version 2 or later.
    /// - Throws: ``ZoneError`` when it is no such file.
    package init(name: String, tzif bytes: [UInt8]) throws(ZoneError) {
        var reader = TZifReader(bytes: bytes)
        let first = try reader.header()
        guard first.version >= UInt8(ascii: "2") else { throw .notTZif }
        // Behind the block with 32-bit times stands the whole once more with 64-bit times.
        try reader.skip(first.byteCount(timeSize: 4))
        let header = try reader.header()
        let changes = try reader.integers(header.changes, size: 8)
        let indices = try reader.bytes(header.changes).map(Int.init)
        var raw: [(offset: Int64, name: Int)] = []
        for _ in 0..<header.types {
            let offset = try reader.integers(1, size: 4)[0]
            let rest = try reader.bytes(2)  // whether it is summer time, and where its name begins
            raw.append((offset, Int(rest.last ?? 0)))
        }
        let names = try reader.bytes(header.nameBytes)
        try reader.skip(header.leaps * 12 + header.standards + header.universals)
        let types = raw.map { type in
            LocalType(
                offset: type.offset,
                abbreviation: String(decoding: names.dropFirst(type.name).prefix { $0 != 0 }, as: UTF8.self)
            )
        }
        guard !types.isEmpty, indices.allSatisfy(types.indices.contains),
            zip(changes, changes.dropFirst()).allSatisfy({ $0 < $1 })
        else { throw .notTZif }
        self.name = name
        self.changes = changes
        self.typeAfter = indices
        self.types = types
        self.rule = try DaylightRule(posix: reader.footer())
    }
}

package enum ZoneError: Error, Hashable, CustomStringConvertible {
    case notTZif

    package var description: String {
        switch self {
        case .notTZif: "is no file of the tz database"
        }
    }
}

/// Where rules find their time zones.
package struct Zones: Sendable {
    private let load: @Sendable (String) -> Zone?

    /// - `load`: the zone of that name (`Europe/Berlin`), or nil.
    package init(_ load: @escaping @Sendable (String) -> Zone?) { self.load = load }

    package static let utcOnly = Zones { _ in nil }

    package subscript(name: String) -> Zone? { name == "UTC" ? .utc : self.load(name) }
}

private struct TZifReader {
    private let all: [UInt8]
    private var at = 0

    struct Header {
        let version: UInt8
        let universals, standards, leaps, changes, types, nameBytes: Int

        func byteCount(timeSize: Int) -> Int {
            self.changes * (timeSize + 1) + self.types * 6 + self.nameBytes + self.leaps * (timeSize + 4)
                + self.standards + self.universals
        }
    }

    init(bytes: [UInt8]) { self.all = bytes }

    mutating func bytes(_ count: Int) throws(ZoneError) -> ArraySlice<UInt8> {
        guard count >= 0, count <= self.all.count - self.at else { throw .notTZif }
        defer { self.at += count }
        return self.all[self.at..<self.at + count]
    }

    mutating func skip(_ count: Int) throws(ZoneError) { _ = try self.bytes(count) }

    mutating func integers(_ count: Int, size: Int) throws(ZoneError) -> [Int64] {
        var values: [Int64] = []
        for _ in 0..<count {
            let bytes = try self.bytes(size)
            let unsigned = bytes.reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            values.append(size == 4 ? Int64(Int32(truncatingIfNeeded: unsigned)) : Int64(bitPattern: unsigned))
        }
        return values
    }

    mutating func header() throws(ZoneError) -> Header {
        guard try self.bytes(4).elementsEqual("TZif".utf8) else { throw .notTZif }
        let version = try self.bytes(16)
        let counts = try self.integers(6, size: 4).map(Int.init)
        guard counts.allSatisfy({ 0...1_000_000 ~= $0 }) else { throw .notTZif }
        return Header(
            version: version.first ?? 0,
            universals: counts[0],
            standards: counts[1],
            leaps: counts[2],
            changes: counts[3],
            types: counts[4],
            nameBytes: counts[5]
        )
    }

    /// The POSIX rule for what comes after the table, between two line feeds.
    func footer() -> String {
        String(decoding: self.all[min(self.at, self.all.count)...].drop { $0 == 10 }.prefix { $0 != 10 }, as: UTF8.self)
    }
}
