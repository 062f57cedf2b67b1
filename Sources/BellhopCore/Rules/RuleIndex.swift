/// Finds the branches of a rule set that an event might match, without asking each of them.
///
/// Every branch that can be is filed under its rarest test: under each text, start, end or piece of text that one of the
/// test's matchers needs. An event looks up what it holds in the fields concerned, so its cost depends on its own length
/// and on what matches, hardly on the number of rules. Keys are hashes: a collision costs one needless question.
// @unchecked: everything is written in `init` and only read afterwards.
final class RuleIndex: @unchecked Sendable {
    /// The branches that every event must be asked about.
    let always: [Int32]
    let fields: [Field]

    /// A field that branches are filed under, and the forms of their keys.
    struct Field {
        let source: CompiledRules.Source
        let path: FieldPath
        fileprivate let number: Int
        fileprivate var forms = 0
        /// The lengths of starts and ends, ascending.
        fileprivate var starts: [Int] = []
        fileprivate var ends: [Int] = []
        fileprivate var pieces: [Int] = []
    }

    private let slots: UnsafeMutableBufferPointer<Slot>
    private let postings: [Int32]

    /// An empty one has no branches.
    private struct Slot {
        var hash: UInt64 = 0
        var first: Int32 = 0
        var count: Int32 = 0
    }

    /// - `branches`: what each branch asks of which field.
    init(_ branches: [[(source: CompiledRules.Source, leaf: Shape.Leaf)]]) {
        var fields: [Field] = []
        var numbers: [CompiledRules.Source: Int] = [:]
        let tests = branches.map { branch in
            branch.compactMap { source, leaf -> [[Key]]? in
                if source == .envelope { return nil }
                let number = numbers[source] ?? fields.count
                if number == fields.count {
                    numbers[source] = number
                    fields.append(Field(source: source, path: leaf.path, number: number))
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
                fields[key.field].note(key)
                if filed[key.hash]?.last != Int32(branch) { filed[key.hash, default: []].append(Int32(branch)) }
            }
        }
        self.always = always
        self.fields = fields.filter { $0.forms != 0 }
        var capacity = 16
        while capacity < filed.count * 2 { capacity *= 2 }
        self.slots = .allocate(capacity: capacity)
        self.slots.initialize(repeating: Slot())
        var postings: [Int32] = []
        for (hash, branches) in filed {
            var at = Int(truncatingIfNeeded: hash) & (capacity - 1)
            while self.slots[at].count > 0 { at = (at + 1) & (capacity - 1) }
            self.slots[at] = Slot(hash: hash, first: Int32(postings.count), count: Int32(branches.count))
            postings += branches
        }
        self.postings = postings
    }

    deinit { self.slots.deallocate() }

    /// Calls `found` with each branch filed under something that the leaf holds; with some of them more than once.
    func forEachCandidate(_ field: Field, _ leaf: JSONLeaf, _ found: (Int32) -> Void) {
        guard let text = leaf.utf8 else {
            guard field.forms & Key.Form.scalar.bit != 0, let hash = Key.hash(of: leaf) else { return }
            return self.lookUp(Key.finish(hash, .scalar, field.number), found)
        }
        if field.forms & (Key.Form.whole.bit | Key.Form.start.bit) != 0 {
            var hash = Key.seed
            var next = 0
            for (index, byte) in text.enumerated() {
                hash = Key.step(hash, byte)
                if next < field.starts.count, field.starts[next] == index + 1 {
                    next += 1
                    self.lookUp(Key.finish(hash, .start, field.number), found)
                } else if next == field.starts.count, field.forms & Key.Form.whole.bit == 0 {
                    break
                }
            }
            if field.forms & Key.Form.whole.bit != 0 { self.lookUp(Key.finish(hash, .whole, field.number), found) }
        }
        if let longest = field.ends.last {
            var hash = Key.seed
            var next = 0
            for (index, byte) in text.reversed().prefix(longest).enumerated() {
                hash = Key.step(hash, byte)
                guard field.ends[next] == index + 1 else { continue }
                next += 1
                self.lookUp(Key.finish(hash, .end, field.number), found)
            }
        }
        for length in field.pieces where text.count >= length {
            for start in 0...(text.count - length) {
                let hash = text[start..<start + length].reduce(Key.seed, Key.step)
                self.lookUp(Key.finish(hash, .piece, field.number), found)
            }
        }
    }

    private func lookUp(_ hash: UInt64, _ found: (Int32) -> Void) {
        let mask = self.slots.count - 1
        var at = Int(truncatingIfNeeded: hash) & mask
        while true {
            let slot = self.slots[at]
            if slot.count == 0 { return }
            if slot.hash == hash {
                for index in slot.first..<slot.first + slot.count { found(self.postings[Int(index)]) }
                return
            }
            at = (at + 1) & mask
        }
    }
}

extension RuleIndex.Field {
    fileprivate mutating func note(_ key: Key) {
        self.forms |= key.form.bit
        func insert(_ lengths: inout [Int]) {
            guard !lengths.contains(key.length) else { return }
            lengths.append(key.length)
            lengths.sort()
        }
        switch key.form {
        case .start: insert(&self.starts)
        case .end: insert(&self.ends)
        case .piece: insert(&self.pieces)
        case .whole, .scalar: break
        }
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
        let bytes = form == .end ? Array(text.reversed()) : Array(text)
        self.hash = Key.finish(bytes.reduce(Key.seed, Key.step), form, field)
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

    // FNV-1a, finished by a mixer: rules choose the keys, events cannot fill the table.
    static let seed: UInt64 = 0xCBF2_9CE4_8422_2325
    static func step(_ hash: UInt64, _ byte: UInt8) -> UInt64 { (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }

    static func finish(_ hash: UInt64, _ form: Form, _ field: Int) -> UInt64 {
        var hash = hash &+ UInt64(field * 8 + form.rawValue) &* 0x9E37_79B9_7F4A_7C15
        hash = (hash ^ (hash >> 32)) &* 0xD6E8_FEB8_6659_FD93
        return hash ^ (hash >> 32)
    }

    static func hash(of number: Number) -> UInt64 { (number.double + 0).bitPattern ^ 0x5555 }

    static func hash(of leaf: JSONLeaf) -> UInt64? {
        if leaf.isNull { return 1 }
        if let bool = leaf.bool { return bool ? 2 : 3 }
        return leaf.number.map { Key.hash(of: $0) }
    }
}
