import Bellhop
import BellhopCore
import Synchronization

/// Runs a source as the pipeline would, and keeps what it sends: events by id, as a spool tells repeats, and the last
/// checkpoint, from which the next run goes on.
package final class SourceBench: Sendable {
    private struct State {
        var events: [Event] = []
        var ids: Set<String> = []
        var repeats = 0
        var rejected: [RejectedEvent] = []
        var checkpoint: Checkpoint?
        var batches = 0
    }

    private let state = Mutex(State())

    package init() {}

    /// New events, in the order they came.
    package var events: [Event] { self.state.withLock { $0.events } }
    package var rejected: [RejectedEvent] { self.state.withLock { $0.rejected } }
    package var checkpoint: Checkpoint? { self.state.withLock { $0.checkpoint } }
    /// Events that had come before.
    package var repeats: Int { self.state.withLock { $0.repeats } }

    /// Runs the source from the last checkpoint until it returns, or until the condition holds after a batch; then it is
    /// cancelled, with what it had not committed.
    ///
    /// - `commits`: false fails a batch as a full spool does.
    package func run(
        _ source: any Source,
        until isEnough: @escaping @Sendable (SourceBench) -> Bool = { _ in false },
        commits: @escaping @Sendable (Batch) -> Bool = { _ in true }
    ) async throws {
        let channel = Channel()
        let start = self.checkpoint
        try await withThrowingTaskGroup(of: Bool.self) { group in
            group.addTask {
                try await source.run(from: start, into: channel)
                return false
            }
            group.addTask {
                for await handoff in channel.handoffs {
                    guard commits(handoff.batch) else {
                        handoff.answer(.failure(SourceError("the spool is full")))
                        continue
                    }
                    let receipt = self.keep(handoff.batch)
                    // Cancelled at the worst moment: it is on disk, and the source does not know yet.
                    if isEnough(self) { return true }
                    handoff.answer(.success(receipt))
                }
                return false
            }
            defer {
                channel.close()
                group.cancelAll()
            }
            do {
                _ = try await group.next()
            } catch is CancellationError {
            } catch ChannelError.closed {}
        }
    }

    private func keep(_ batch: Batch) -> Receipt {
        self.state.withLock { state in
            let new = batch.events.filter { state.ids.insert($0.id).inserted }
            state.events += new
            state.repeats += batch.events.count - new.count
            state.rejected += batch.rejected
            if let checkpoint = batch.checkpoint { state.checkpoint = checkpoint }
            state.batches += 1
            return Receipt(new: new.count, known: batch.events.count - new.count)
        }
    }
}
