import BellhopCore
import Synchronization

/// A webhook receiver that takes what it is sent, counts it, and fails as it is told.
package final class ReceiverSimulator: Sendable {
    package struct Settings: Sendable {
        /// The first requests are answered with these, and after them as below.
        package var script: [SimulatedAnswer] = []
        /// Every request after them is answered with this.
        package var status = 200
        package var retryAfter: String?
        package var delay: Duration = .zero
        package var fault: SimulatedAnswer.Fault?
        package var body = "ok"

        package init() {}
    }

    /// A request that was answered with 2xx, as far as the receiver knows.
    package struct Receipt: Sendable {
        package let path: String
        package let id: String
        package let body: String
        /// When it was answered.
        package let at: ContinuousClock.Instant

        package init(path: String, id: String, body: String, at: ContinuousClock.Instant) {
            self.path = path
            self.id = id
            self.body = body
            self.at = at
        }
    }

    private typealias Waiter = (count: Int, bell: AsyncStream<Void>.Continuation)

    private struct State {
        var settings: Settings
        var requests = 0
        var accepted = 0
        var receipts: [Receipt] = []
        var ids: [String: Int] = [:]
        var asking: [Waiter] = []
        var waiting: [Waiter] = []
    }

    /// Statuses as answers.
    package static func failures(_ statuses: [Int]) -> [SimulatedAnswer] {
        statuses.map { SimulatedAnswer(status: $0, body: "simulated failure\n") }
    }

    private let state: Mutex<State>
    private let keepsBodies: Bool
    private let onReceipt: (@Sendable (SimulatedRequest, Int) -> Void)?

    /// - `keepsBodies`: remember what came, for tests.
    /// - `onReceipt`: told of each request and the status it gets.
    package init(
        _ settings: Settings = Settings(),
        keepsBodies: Bool = true,
        onReceipt: (@Sendable (SimulatedRequest, Int) -> Void)? = nil
    ) {
        self.state = Mutex(State(settings: settings))
        self.keepsBodies = keepsBodies
        self.onReceipt = onReceipt
    }

    package var requests: Int { self.state.withLock { $0.requests } }
    package var accepted: Int { self.state.withLock { $0.accepted } }
    package var receipts: [Receipt] { self.state.withLock { $0.receipts } }
    /// Distinct webhook-ids among what was accepted, and how often each came.
    package var ids: [String: Int] { self.state.withLock { $0.ids } }

    /// Behaves differently from now on.
    package func change(_ change: (inout Settings) -> Void) {
        self.state.withLock { change(&$0.settings) }
    }

    /// Returns once so many requests were accepted, or when cancelled.
    package func waitForAccepted(_ count: Int) async { await self.wait(for: count, of: \.accepted, \.waiting) }

    /// Returns once so many requests have come, whatever was answered, or when cancelled.
    package func waitForRequests(_ count: Int) async { await self.wait(for: count, of: \.requests, \.asking) }

    private func wait(
        for count: Int,
        of number: any KeyPath<State, Int> & Sendable,
        _ waiting: any WritableKeyPath<State, [Waiter]> & Sendable
    ) async {
        let (rings, bell) = AsyncStream<Void>.makeStream()
        self.state.withLock { state in
            if state[keyPath: number] >= count { bell.finish() } else { state[keyPath: waiting].append((count, bell)) }
        }
        for await _ in rings {}
    }

    package func answer(_ request: SimulatedRequest) -> SimulatedAnswer {
        if request.method == "GET" {
            let (requests, accepted, distinct) = self.state.withLock { ($0.requests, $0.accepted, $0.ids.count) }
            return SimulatedAnswer(
                body: "{\"requests\":\(requests),\"accepted\":\(accepted),\"distinct\":\(distinct)}\n"
            )
        }
        let (answer, awake) = self.state.withLock { state in
            state.requests += 1
            var awake = state.asking.filter { $0.count <= state.requests }.map(\.bell)
            state.asking.removeAll { $0.count <= state.requests }
            var answer: SimulatedAnswer
            if state.settings.script.isEmpty {
                let isGood = (200...299).contains(state.settings.status)
                answer = SimulatedAnswer(
                    status: state.settings.status,
                    body: isGood ? state.settings.body : "simulated failure\n",
                    delay: state.settings.delay,
                    fault: state.settings.fault
                )
            } else {
                answer = state.settings.script.removeFirst()
            }
            if let retryAfter = state.settings.retryAfter { answer.headers.append(("retry-after", retryAfter)) }
            if (200...299).contains(answer.status), answer.fault == nil {
                state.accepted += 1
                let id = request.header("webhook-id") ?? ""
                state.ids[id, default: 0] += 1
                if self.keepsBodies {
                    let body = String(decoding: request.body, as: UTF8.self)
                    state.receipts.append(Receipt(path: request.path, id: id, body: body, at: .now))
                }
                awake += state.waiting.filter { $0.count <= state.accepted }.map(\.bell)
                state.waiting.removeAll { $0.count <= state.accepted }
            }
            return (answer, awake)
        }
        self.onReceipt?(request, answer.status)
        for bell in awake { bell.finish() }
        return answer
    }
}
