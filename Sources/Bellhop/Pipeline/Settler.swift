import BellhopCore
import Logging
import Synchronization

/// Records outcomes in groups: one commit for all that came in while the last one ran or within ``delay``.
///
/// After a kill, deliveries that were answered within that time are sent again, with the same webhook-id.
final class Settler: Sendable {
    static let delay: Duration = .milliseconds(40)
    /// Deliveries stop while this many outcomes wait for the disk.
    static let limit = 4000

    /// Outcomes that came together, and who wants to know when they are on disk.
    private struct Group {
        let settlements: [Settlement]
        let committed: @Sendable ([Settlement], _ refused: Set<Delivery.ID>) -> Void
    }

    private struct State {
        var waiting: [Group] = []
        var count = 0
        var held: [CheckedContinuation<Void, Never>] = []
        var isClosed = false
    }

    private let spool: any Spool
    private let clock: any WallClock
    private let logger: Logger
    private let bell = Doorbell()
    private let state = Mutex(State())

    init(spool: any Spool, clock: any WallClock, logger: Logger) {
        self.spool = spool
        self.clock = clock
        self.logger = logger
    }

    /// Takes outcomes to record; returns at once, unless the disk is far behind.
    /// - `committed`: called once they are on disk, with the deliveries that somebody has settled otherwise meanwhile.
    func submit(
        _ settlements: [Settlement],
        committed: @escaping @Sendable ([Settlement], _ refused: Set<Delivery.ID>) -> Void
    ) async {
        let (isFirst, isFull) = self.state.withLock { state in
            let isFirst = state.waiting.isEmpty
            state.waiting.append(Group(settlements: settlements, committed: committed))
            state.count += settlements.count
            return (isFirst, state.count >= Settler.limit && !state.isClosed)
        }
        // What comes later is recorded with the first.
        if isFirst { self.bell.ring() }
        guard isFull else { return }
        await withCheckedContinuation { continuation in
            let mayGo = self.state.withLock { state in
                guard state.count >= Settler.limit, !state.isClosed else { return true }
                state.held.append(continuation)
                return false
            }
            if mayGo { continuation.resume() }
        }
    }

    /// Records until ``close()``; what came in last is left to ``flush()``.
    func run() async {
        for await _ in self.bell.rings {
            let isClosed = self.state.withLock { $0.isClosed || $0.count >= Settler.limit / 4 }
            if !isClosed { try? await self.clock.sleep(for: Settler.delay) }
            await self.flush()
        }
        self.close()
        self.releaseHeld()
    }

    func close() {
        self.state.withLock { $0.isClosed = true }
        self.bell.close()
    }

    /// Records everything that waits, again and again until the disk takes it.
    func flush() async {
        var failures = 0
        while true {
            let groups = self.state.withLock { state in
                defer {
                    state.waiting.removeAll(keepingCapacity: true)
                    state.count = 0
                }
                return state.waiting
            }
            guard !groups.isEmpty else { break }
            do {
                let refused = try await self.spool.settle(groups.flatMap(\.settlements), now: self.clock.now())
                for group in groups { group.committed(group.settlements, refused) }
                // While others keep submitting there may never be nothing to record.
                self.releaseHeld()
                if failures > 0 { self.logger.info("outcomes are recorded again") }
                failures = 0
            } catch {
                // They stay in memory and are tried again; after a crash those deliveries would be sent a second time.
                let isClosed = self.state.withLock { state in
                    state.waiting = groups + state.waiting
                    state.count += groups.reduce(0) { $0 + $1.settlements.count }
                    return state.isClosed
                }
                failures += 1
                if failures == 1 {
                    self.logger.error("outcomes cannot be recorded", metadata: [LogKeys.reason: "\(error)"])
                }
                if Task.isCancelled || (isClosed && failures >= 5) { break }
                try? await self.clock.sleep(for: min(.seconds(10), .milliseconds(200 * failures)))
            }
        }
        self.releaseHeld()
    }

    private func releaseHeld() {
        let held = self.state.withLock { state in
            defer { state.held = [] }
            return state.held
        }
        for continuation in held { continuation.resume() }
    }
}
