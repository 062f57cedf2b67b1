import Glibc

/// The rules' branches as tests of slots, flat in memory: asking them about an event touches no reference count.
// @unchecked: everything is written in `init` and only read afterwards.
final class CompiledRules: @unchecked Sendable {
    /// One alternative of a rule's pattern.
    struct Branch {
        let tests: Range<Int>
        let rule: Int
        let otherwise: Bool
        let stop: Bool
    }

    struct Test {
        /// Where the value is found.
        let source: Source
        let matchers: Range<Int>
        let acceptsAbsence: Bool
    }

    enum Source: Hashable { case document(slot: Int), data(slot: Int), envelope }

    /// The frequent matchers as they are, for others where they stand in ``others``.
    private enum FlatMatcher {
        case equal(start: UnsafePointer<UInt8>, count: Int)
        case prefix(start: UnsafePointer<UInt8>, count: Int)
        case other(Int)
    }

    let branches: UnsafeMutableBufferPointer<Branch>
    /// Whether there is any rule for what no other matched.
    let hasOtherwise: Bool
    let tests: UnsafeMutableBufferPointer<Test>
    private let matchers: UnsafeMutableBufferPointer<FlatMatcher>
    private let others: [Matcher]
    private var texts: [UnsafeMutableBufferPointer<UInt8>] = []

    /// - `branches`: for each branch its rule, and what it asks of which source.
    init(_ rules: [Rule], branches: [(rule: Int, tests: [(source: Source, leaf: Shape.Leaf)])]) {
        var flatBranches: [Branch] = []
        var flatTests: [Test] = []
        var flatMatchers: [FlatMatcher] = []
        var others: [Matcher] = []
        var texts: [UnsafeMutableBufferPointer<UInt8>] = []
        func keep(_ text: Matcher.Text) -> (UnsafePointer<UInt8>, Int) {
            let buffer = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: max(text.utf8.count, 1))
            _ = buffer.update(fromContentsOf: text.utf8)
            texts.append(buffer)
            return (UnsafePointer(buffer.baseAddress ?? UnsafeMutablePointer.allocate(capacity: 1)), text.utf8.count)
        }
        for (number, tests) in branches {
            let firstTest = flatTests.count
            for (source, leaf) in tests {
                let first = flatMatchers.count
                for matcher in leaf.matchers {
                    switch matcher {
                    case .string(let text) where !text.ignoresCase:
                        let (start, count) = keep(text)
                        flatMatchers.append(.equal(start: start, count: count))
                    case .prefix(let text) where !text.ignoresCase:
                        let (start, count) = keep(text)
                        flatMatchers.append(.prefix(start: start, count: count))
                    default:
                        flatMatchers.append(.other(others.count))
                        others.append(matcher)
                    }
                }
                let acceptsAbsence = leaf.matchers.contains(.exists(false))
                flatTests.append(
                    Test(source: source, matchers: first..<flatMatchers.count, acceptsAbsence: acceptsAbsence)
                )
            }
            flatBranches.append(
                Branch(
                    tests: firstTest..<flatTests.count,
                    rule: number,
                    otherwise: rules[number].otherwise,
                    stop: rules[number].stop
                )
            )
        }
        self.hasOtherwise = flatBranches.contains { $0.otherwise }
        self.branches = .allocate(capacity: flatBranches.count)
        _ = self.branches.initialize(fromContentsOf: flatBranches)
        self.tests = .allocate(capacity: flatTests.count)
        _ = self.tests.initialize(fromContentsOf: flatTests)
        self.matchers = .allocate(capacity: flatMatchers.count)
        _ = self.matchers.initialize(fromContentsOf: flatMatchers)
        self.others = others
        self.texts = texts
    }

    deinit {
        for text in self.texts { text.deallocate() }
        self.branches.deallocate()
        self.tests.deallocate()
        self.matchers.deallocate()
    }

    /// Whether one of the test's matchers accepts the leaf, which may be absent.
    func accepts(_ test: Test, _ leaf: JSONLeaf) -> Bool {
        if leaf.isAbsent { return test.acceptsAbsence }
        let utf8 = leaf.utf8
        for index in test.matchers {
            switch self.matchers[index] {
            case .equal(let start, let count):
                if let utf8, utf8.count == count, utf8.begins(with: start, count) { return true }
            case .prefix(let start, let count):
                if let utf8, utf8.count >= count, utf8.begins(with: start, count) { return true }
            case .other(let other):
                if self.others[other].accepts(leaf) { return true }
            }
        }
        return false
    }
}

extension UnsafeRawBufferPointer {
    fileprivate func begins(with start: UnsafePointer<UInt8>, _ count: Int) -> Bool {
        guard let base = self.baseAddress else { return count == 0 }
        return memcmp(base, start, count) == 0
    }
}
