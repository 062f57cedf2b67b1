import Bellhop
import BellhopCore
import Synchronization

/// A sink that remembers what it was given, and fails as its script says.
package final class RecordingSink: Sink {
    package static let kind = "recording"
    package static let reference = "kind: recording"

    package let name: String
    package let address = "memory"
    package let dispatch: DispatchPolicy

    private struct State {
        var deliveries: [Delivery] = []
        var isClosed = false
        var waiting: [(count: Int, continuation: CheckedContinuation<Void, Never>)] = []
    }

    private let state = Mutex(State())
    private let verdict: @Sendable (Delivery) async -> Verdict

    package init(name: String, options: OptionReader, context: ComponentContext) {
        self.name = name
        self.dispatch = DispatchPolicy()
        self.verdict = { _ in .success("ok") }
    }

    package init(
        name: String = "sink",
        dispatch: DispatchPolicy = DispatchPolicy(),
        verdict: @escaping @Sendable (Delivery) async -> Verdict = { _ in .success("ok") }
    ) {
        self.name = name
        self.dispatch = dispatch
        self.verdict = verdict
    }

    package func preview(_ delivery: Delivery) -> SinkPreview { SinkPreview(head: ["record"], body: "") }

    /// Every attempt, in the order they were made.
    package var deliveries: [Delivery] { self.state.withLock { $0.deliveries } }
    package var isClosed: Bool { self.state.withLock { $0.isClosed } }

    package func deliver(_ deliveries: [Delivery]) async -> [Verdict] {
        var verdicts: [Verdict] = []
        for delivery in deliveries {
            let awake = self.state.withLock { state in
                state.deliveries.append(delivery)
                let count = state.deliveries.count
                defer { state.waiting.removeAll { $0.count <= count } }
                return state.waiting.filter { $0.count <= count }
            }
            for waiter in awake { waiter.continuation.resume() }
            verdicts.append(await self.verdict(delivery))
        }
        return verdicts
    }

    package func close() async {
        self.state.withLock { $0.isClosed = true }
    }

    /// Returns once so many attempts were made.
    package func waitForAttempts(_ count: Int) async {
        await withCheckedContinuation { continuation in
            let isThere = self.state.withLock { state in
                if state.deliveries.count < count { state.waiting.append((count, continuation)) }
                return state.deliveries.count >= count
            }
            if isThere { continuation.resume() }
        }
    }
}
