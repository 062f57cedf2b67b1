import BellhopCore
import Synchronization

/// Puts what many requests bring into few batches: while one is being written, the next gathers.
///
/// Whoever finds nobody writing writes for all who wait, then leaves it to the first who came meanwhile; so there is no task
/// beside those of the requests, and none that could be cancelled while others wait for it.
final class GroupCommit: Sendable {
    /// Events of one batch, but for a single request that holds more.
    private static let limit = 1000

    private struct Waiting {
        let events: [Event]
        let rejected: [RejectedEvent]
        let turn: CheckedContinuation<Turn, Never>
    }

    private enum Turn {
        /// Somebody wrote it.
        case written(Result<Void, any Error>)
        /// It is the first of those who wait, and writes.
        case write
    }

    private struct State {
        var waiting: [Waiting] = []
        var isWriting = false
    }

    private let source: String
    private let channel: Channel
    private let state = Mutex(State())

    init(source: String, channel: Channel) {
        self.source = source
        self.channel = channel
    }

    /// Returns once it is on disk.
    /// - Throws: what kept the spool from taking it.
    func commit(_ events: [Event], _ rejected: [RejectedEvent]) async throws {
        let turn = await withCheckedContinuation { continuation in
            let isFirst = self.state.withLock { state in
                state.waiting.append(Waiting(events: events, rejected: rejected, turn: continuation))
                defer { state.isWriting = true }
                return !state.isWriting
            }
            if isFirst { continuation.resume(returning: .write) }
        }
        switch turn {
        case .written(let result): try result.get()
        case .write: try await self.write()
        }
    }

    /// Writes what waits, of which one's own is the first.
    private func write() async throws {
        let group = self.state.withLock { state in
            var count = 0
            let end = state.waiting.firstIndex { waiting in
                defer { count += waiting.events.count + waiting.rejected.count }
                return count > 0 && count + waiting.events.count + waiting.rejected.count > GroupCommit.limit
            }
            let group = Array(state.waiting[..<(end ?? state.waiting.count)])
            state.waiting.removeFirst(group.count)
            return group
        }
        let batch = Batch(
            source: self.source,
            events: group.flatMap(\.events).inTimeOrder,
            rejected: group.flatMap(\.rejected),
            // There is nothing to go on from. Ids are remembered as long as events are kept, to tell repeats.
            checkpoint: Checkpoint(position: "", horizon: .distantFuture)
        )
        let result: Result<Void, any Error>
        do {
            try await self.channel.send(batch)
            result = .success(())
        } catch {
            result = .failure(error)
        }
        for waiting in group.dropFirst() { waiting.turn.resume(returning: .written(result)) }
        let next = self.state.withLock { state in
            state.isWriting = !state.waiting.isEmpty
            return state.waiting.first?.turn
        }
        next?.resume(returning: .write)
        try result.get()
    }
}
