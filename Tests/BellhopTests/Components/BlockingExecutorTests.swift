import Dispatch
import Testing

@testable import Bellhop

@Suite(.timeLimit(.minutes(4))) struct BlockingExecutorTests {
    private actor Counter {
        private let executor = BlockingExecutor(label: "test")
        private var count = 0

        nonisolated var unownedExecutor: UnownedSerialExecutor { self.executor.asUnownedSerialExecutor() }

        func add() -> Int {
            self.count += 1
            return self.count
        }

        /// As a timer does: on the queue, but outside of any job.
        nonisolated func addFromQueue(_ done: @escaping @Sendable (Int) -> Void) {
            self.executor.queue.async { done(self.assumeIsolated { $0.add() }) }
        }
    }

    @Test func `jobs and what the queue runs by itself are isolated alike`() async {
        let counter = Counter()
        #expect(await counter.add() == 1)
        let count = await withCheckedContinuation { continuation in
            counter.addFromQueue { continuation.resume(returning: $0) }
        }
        #expect(count == 2)
        #expect(await counter.add() == 3)
    }
}
