import Bellhop
import Synchronization

/// Counts the requests that a service is answering, so that it can end between them.
final class ServiceGate: Sendable {
    private struct State {
        var inside = 0
        var isClosed = false
        var waiting: CheckedContinuation<Void, Never>?
    }

    let service: InboundService
    private let state = Mutex(State())

    init(_ service: InboundService) { self.service = service }

    /// - Returns: false once it is closed.
    func enter() -> Bool {
        self.state.withLock { state in
            if !state.isClosed { state.inside += 1 }
            return !state.isClosed
        }
    }

    func leave() {
        let waiting = self.state.withLock { state -> CheckedContinuation<Void, Never>? in
            state.inside -= 1
            guard state.inside == 0 else { return nil }
            defer { state.waiting = nil }
            return state.waiting
        }
        waiting?.resume()
    }

    /// Lets nobody in any more, and returns when all have left. For one caller.
    func close() async {
        await withCheckedContinuation { continuation in
            let isEmpty = self.state.withLock { state in
                state.isClosed = true
                if state.inside > 0 { state.waiting = continuation }
                return state.inside == 0
            }
            if isEmpty { continuation.resume() }
        }
    }
}
