/// Finds the branches of a rule set that an event might match, without asking each of them.
///
/// Every branch that can be is filed under its rarest test: under each text, start, end or piece of text that one of the
/// test's matchers needs. An event looks up what it holds in the fields concerned, so its cost depends on its own length
/// and on what matches, hardly on the number of rules. Keys are hashes: a collision costs one needless question.
///
/// Flat in memory, and with a filter small enough for the first cache: nearly all lookups find nothing.
// @unchecked: everything is written in `init` and only read afterwards.
final class RuleIndex: @unchecked Sendable {
    /// The branches that every event must be asked about.
    let always: [Int32]
    let fields: UnsafeMutableBufferPointer<Field>
    /// Where each of ``fields`` stands in an event.
    let paths: [FieldPath]

    /// A field that branches are filed under, and the forms of their keys.
    struct Field {
        let source: CompiledRules.Source
        fileprivate let number: Int
        fileprivate let forms: Int
        /// The lengths of starts, ends and pieces in bytes, ascending.
        fileprivate let starts: UnsafeMutableBufferPointer<Int>
        fileprivate let ends: UnsafeMutableBufferPointer<Int>
        fileprivate let pieces: UnsafeMutableBufferPointer<Int>
    }

    private let slots: UnsafeMutableBufferPointer<Slot>
    private let postings: UnsafeMutableBufferPointer<Int32>
    /// A bit for the upper bits of each hash.
    private let filter: UnsafeMutableBufferPointer<UInt64>
    private let filterShift: UInt64

    /// An empty one has no branches.
    private struct Slot {
        var hash: UInt64 = 0
        var first: Int32 = 0
        var count: Int32 = 0
    }

    /// - `branches`: what each branch asks of which field.
    init(_ branches: [[(source: CompiledRules.Source, leaf: Shape.Leaf)]]) {
        var drafts: [FieldDraft] = []
        var numbers: [CompiledRules.Source: Int] = [:]
        let tests = branches.map { branch in
            branch.compactMap { source, leaf -> [[Key]]? in
                if source == .envelope { return nil }
                let number = numbers[source] ?? drafts.count
                if number == drafts.count {
                    numbers[source] = number
                    drafts.append(FieldDraft(source: source, path: leaf.path, number: number))
                }
                return Key.keys(for: leaf.matchers, field: number)
            }
        }
        var shares: [UInt64: Int] = [:]
        for key in tests.joined().joined().joined() { shares[key.hash, default: 0] += 1 }
        func share(_ key: Key) -> Int { shares[key.hash] ?? 0 }
        var always: [Int32] = []
        var filed: [UInt64: [Int32]] = [:]
        for (branch, tests) in tests.enumerated() {
            let rarest = tests.map { matchers in matchers.compactMap { $0.min { share($0) < share($1) } } }
                .min { $0.reduce(0) { $0 + share($1) } < $1.reduce(0) { $0 + share($1) } }
            guard let rarest else {
                always.append(Int32(branch))
                continue
            }
            for key in rarest {
                drafts[key.field].note(key)
                if filed[key.hash]?.last != Int32(branch) { filed[key.hash, default: []].append(Int32(branch)) }
            }
        }
        self.always = always
        let used = drafts.filter { $0.forms != 0 }
        self.paths = used.map(\.path)
        self.fields = .allocate(capacity: used.count)
        _ = self.fields.initialize(fromContentsOf: used.map(\.field))
        var capacity = 16
        while capacity < filed.count * 2 { capacity *= 2 }
        self.slots = .allocate(capacity: capacity)
        self.slots.initialize(repeating: Slot())
        let filterBits = min(max(capacity * 8, 1024), 1 << 20)
        self.filter = .allocate(capacity: filterBits / 64)
        self.filter.initialize(repeating: 0)
        self.filterShift = UInt64(64 - filterBits.trailingZeroBitCount)
        var postings: [Int32] = []
        for (hash, branches) in filed {
            var at = Int(truncatingIfNeeded: hash) & (capacity - 1)
            while self.slots[at].count > 0 { at = (at + 1) & (capacity - 1) }
            self.slots[at] = Slot(hash: hash, first: Int32(postings.count), count: Int32(branches.count))
            let bit = hash >> self.filterShift
            self.filter[Int(bit >> 6)] |= 1 << (bit & 63)
            postings += branches
        }
        self.postings = .allocate(capacity: postings.count)
        _ = self.postings.initialize(fromContentsOf: postings)
    }

    deinit {
        for field in self.fields {
            for lengths in [field.starts, field.ends, field.pieces] { lengths.deallocate() }
        }
        self.fields.deallocate()
        self.slots.deallocate()
        self.postings.deallocate()
        self.filter.deallocate()
    }

    var slotCount: Int { self.slots.count }

    /// Adds each branch filed under something that the leaf holds.
    func collect(_ field: Field, _ leaf: JSONLeaf, into candidates: Candidates) {
        guard let text = leaf.utf8 else {
            guard field.forms & Key.Form.scalar.bit != 0, let hash = Key.hash(of: leaf) else { return }
            return self.lookUp(Key.finish(hash, .scalar, field.number), candidates)
        }
        let wantsWhole = field.forms & Key.Form.whole.bit != 0
        let longestStart = field.starts.last ?? 0
        if wantsWhole || longestStart > 0 {
            var hash = FNV1a()
            var next = 0
            let end = wantsWhole ? text.count : min(text.count, longestStart)
            for index in 0..<end {
                hash.add(text[index])
                if next < field.starts.count, field.starts[next] == index + 1 {
                    next += 1
                    self.lookUp(Key.finish(hash.value, .start, field.number), candidates)
                }
            }
            if wantsWhole { self.lookUp(Key.finish(hash.value, .whole, field.number), candidates) }
        }
        if let longest = field.ends.last {
            var hash = FNV1a()
            var next = 0
            for index in 0..<min(text.count, longest) {
                hash.add(text[text.count - 1 - index])
                if field.ends[next] == index + 1 {
                    next += 1
                    self.lookUp(Key.finish(hash.value, .end, field.number), candidates)
                }
            }
        }
        for length in field.pieces where text.count >= length {
            var packed: UInt64 = 0
            let mask = UInt64.max >> UInt64(64 - 8 * length)
            for index in 0..<text.count {
                packed = (packed << 8 | UInt64(text[index])) & mask
                if index >= length - 1 {
                    self.lookUp(Key.finish(Key.hash(piece: packed), .piece, field.number), candidates)
                }
            }
        }
    }

    @inline(__always) private func lookUp(_ hash: UInt64, _ candidates: Candidates) {
        let bit = hash >> self.filterShift
        guard self.filter[Int(truncatingIfNeeded: bit >> 6)] & (1 << (bit & 63)) != 0 else { return }
        let mask = self.slots.count - 1
        var at = Int(truncatingIfNeeded: hash) & mask
        while true {
            let slot = self.slots[at]
            if slot.count == 0 { return }
            if slot.hash == hash {
                // A text may hold the same piece a million times.
                guard candidates.visit(at) else { return }
                for index in slot.first..<slot.first + slot.count { candidates.add(self.postings[Int(index)]) }
                return
            }
            at = (at + 1) & mask
        }
    }
}

/// A field while the index is being made.
private struct FieldDraft {
    let source: CompiledRules.Source
    let path: FieldPath
    let number: Int
    var forms = 0
    var lengths: [Key.Form: Set<Int>] = [:]

    mutating func note(_ key: Key) {
        self.forms |= key.form.bit
        self.lengths[key.form, default: []].insert(key.length)
    }

    var field: RuleIndex.Field {
        func flat(_ form: Key.Form) -> UnsafeMutableBufferPointer<Int> {
            let lengths = (self.lengths[form] ?? []).sorted()
            let buffer = UnsafeMutableBufferPointer<Int>.allocate(capacity: lengths.count)
            _ = buffer.initialize(fromContentsOf: lengths)
            return buffer
        }
        return RuleIndex.Field(
            source: self.source,
            number: self.number,
            forms: self.forms,
            starts: flat(.start),
            ends: flat(.end),
            pieces: flat(.piece)
        )
    }
}

/// What a value must hold for a matcher to accept it.
private struct Key {
    enum Form: Int {
        case whole, start, end, piece, scalar

        var bit: Int { 1 << self.rawValue }
    }

    /// Bytes of a piece: long enough to tell texts apart, short enough that a long text has few of them.
    private static let pieceLength = 4

    let form: Form
    let field: Int
    /// In bytes.
    let length: Int
    let hash: UInt64

    private init(_ form: Form, _ text: some Collection<UInt8>, _ field: Int) {
        self.form = form
        self.field = field
        self.length = text.count
        let hash =
            switch form {
            case .piece: Key.hash(piece: text.reduce(0) { $0 << 8 | UInt64($1) })
            case .end: FNV1a(text.reversed()).value
            case .whole, .start, .scalar: FNV1a(text).value
            }
        self.hash = Key.finish(hash, form, field)
    }

    private init(scalar hash: UInt64, _ field: Int) {
        self.form = .scalar
        self.field = field
        self.length = 0
        self.hash = Key.finish(hash, .scalar, field)
    }

    /// For each matcher keys of which any one will do; nil where a matcher accepts what no key tells.
    static func keys(for matchers: [Matcher], field: Int) -> [[Key]]? {
        var keys: [[Key]] = []
        for matcher in matchers {
            guard let found = self.keys(for: matcher, field), !found.isEmpty else { return nil }
            keys.append(found)
        }
        return keys
    }

    private static func keys(for matcher: Matcher, _ field: Int) -> [Key]? {
        switch matcher {
        case .null: [Key(scalar: 1, field)]
        case .bool(let bool): [Key(scalar: bool ? 2 : 3, field)]
        case .number(let number): [Key(scalar: Key.hash(of: number), field)]
        case .string(let text) where !text.ignoresCase: [Key(.whole, text.utf8, field)]
        case .prefix(let text) where !text.ignoresCase: [Key(.start, text.utf8, field)]
        case .suffix(let text) where !text.ignoresCase: [Key(.end, text.utf8, field)]
        case .wildcard(let wildcard): self.keys(for: wildcard, field)
        case .string, .prefix, .suffix, .range, .cidr, .after, .before, .during, .regex, .anythingBut, .exists: nil
        }
    }

    private static func keys(for wildcard: Wildcard, _ field: Int) -> [Key]? {
        guard let first = wildcard.parts.first, let last = wildcard.parts.last else { return nil }
        if wildcard.parts.count == 1 { return [Key(.whole, first, field)] }
        var keys: [Key] = []
        if !first.isEmpty { keys.append(Key(.start, first, field)) }
        if !last.isEmpty { keys.append(Key(.end, last, field)) }
        for part in wildcard.parts where !part.isEmpty {
            let length = min(part.count, Key.pieceLength)
            for start in 0...(part.count - length) { keys.append(Key(.piece, part[start..<start + length], field)) }
        }
        return keys
    }

    /// Mixed well: rules choose the keys, and events cannot fill the table.
    static func finish(_ hash: UInt64, _ form: Form, _ field: Int) -> UInt64 {
        var hash = hash &+ UInt64(field * 8 + form.rawValue) &* 0x9E37_79B9_7F4A_7C15
        hash = (hash ^ (hash >> 32)) &* 0xD6E8_FEB8_6659_FD93
        return hash ^ (hash >> 32)
    }

    /// - `piece`: up to eight bytes, the first one highest.
    static func hash(piece: UInt64) -> UInt64 { piece &* 0x9E37_79B9_7F4A_7C15 }

    static func hash(of number: Number) -> UInt64 { (number.double + 0).bitPattern ^ 0x5555 }

    static func hash(of leaf: JSONLeaf) -> UInt64? {
        if leaf.isNull { return 1 }
        if let bool = leaf.bool { return bool ? 2 : 3 }
        return leaf.number.map { Key.hash(of: $0) }
    }
}
