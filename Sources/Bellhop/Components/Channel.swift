import BellhopCore
import Synchronization

/// Joins a source to the intake. `AsyncStream` has no back-pressure, so a send returns only when its batch is on disk:
/// the stream never holds more than one batch for each source.
package struct Channel: Sendable {
    package let handoffs: AsyncStream<Handoff>
    private let continuation: AsyncStream<Handoff>.Continuation

    package init() {
        (self.handoffs, self.continuation) = AsyncStream.makeStream()
    }

    /// Returns once the batch and its checkpoint are committed.
    /// - Throws: what kept the spool from taking it, or ``ChannelError`` after the channel was closed.
    @discardableResult
    package func send(_ batch: Batch) async throws -> Receipt {
        try await withCheckedThrowingContinuation { continuation in
            // A handoff that nobody answers fails its sender when it goes; so does one that a closed stream refuses.
            self.continuation.yield(Handoff(batch, continuation))
        }
    }

    /// Refuses more; what was sent before can still be read.
    package func close() {
        self.continuation.finish()
    }
}

/// What the spool made of a batch.
package struct Receipt: Sendable, Hashable {
    package let new: Int
    /// Events that were known already.
    package let known: Int

    package init(new: Int, known: Int) {
        self.new = new
        self.known = known
    }
}

package enum ChannelError: Error, CustomStringConvertible {
    case closed

    package var description: String { "the pipeline is shutting down and takes no more events" }
}

/// A batch on its way, and the answer its sender waits for.
package final class Handoff: Sendable {
    package let batch: Batch
    private let waiting: Mutex<CheckedContinuation<Receipt, any Error>?>

    fileprivate init(_ batch: Batch, _ continuation: CheckedContinuation<Receipt, any Error>) {
        self.batch = batch
        self.waiting = Mutex(continuation)
    }

    package func answer(_ result: Result<Receipt, any Error>) {
        let continuation = self.waiting.withLock { waiting in
            defer { waiting = nil }
            return waiting
        }
        continuation?.resume(with: result)
    }

    deinit { self.answer(.failure(ChannelError.closed)) }
}
