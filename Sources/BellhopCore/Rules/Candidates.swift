/// The branches that one event might match, each once. Belongs to one task, which uses it again for the next event.
final class Candidates {
    private let found: UnsafeMutableBufferPointer<Int32>
    /// For each branch the number of the event that last had it for a candidate.
    private let stamps: UnsafeMutableBufferPointer<UInt32>
    private var stamp: UInt32 = 0
    private(set) var count = 0
    /// The same for the slots of the index.
    private let visits: UnsafeMutableBufferPointer<UInt32>

    /// - `branches`: how many there are.
    ///
    /// - `slots`: of the index.
    init(branches: Int, slots: Int) {
        self.visits = .allocate(capacity: max(slots, 1))
        self.visits.initialize(repeating: 0)
        self.found = .allocate(capacity: max(branches, 1))
        self.stamps = .allocate(capacity: max(branches, 1))
        self.stamps.initialize(repeating: 0)
    }

    deinit {
        self.found.deallocate()
        self.stamps.deallocate()
        self.visits.deallocate()
    }

    subscript(index: Int) -> Int { Int(self.found[index]) }

    /// Forgets the last event's.
    func begin() {
        self.count = 0
        self.stamp &+= 1
        if self.stamp == 0 {
            self.stamps.update(repeating: 0)
            self.visits.update(repeating: 0)
            self.stamp = 1
        }
    }

    /// False when the slot was visited for this event before.
    @inline(__always) func visit(_ slot: Int) -> Bool {
        guard self.visits[slot] != self.stamp else { return false }
        self.visits[slot] = self.stamp
        return true
    }

    @inline(__always) func add(_ branch: Int32) {
        guard self.stamps[Int(branch)] != self.stamp else { return }
        self.stamps[Int(branch)] = self.stamp
        self.found[self.count] = branch
        self.count += 1
    }
}
