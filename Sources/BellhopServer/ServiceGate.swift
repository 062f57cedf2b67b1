import Bellhop
import NIOCore
import Synchronization

/// Knows the requests that a service is answering, so that it can end between them.
final class ServiceGate: Sendable {
    private struct State {
        var inside: [ObjectIdentifier: any NIOCore.Channel] = [:]
        var isClosed = false
        var waiting: CheckedContinuation<Void, Never>?
    }

    let service: InboundService
    private let state = Mutex(State())

    init(_ service: InboundService) { self.service = service }

    /// - `channel`: the connection, on which one request is answered at a time.
    ///
    /// - Returns: false once it is closed.
    func enter(_ channel: any NIOCore.Channel) -> Bool {
        self.state.withLock { state in
            if !state.isClosed { state.inside[ObjectIdentifier(channel)] = channel }
            return !state.isClosed
        }
    }

    func leave(_ channel: any NIOCore.Channel) {
        let waiting = self.state.withLock { state -> CheckedContinuation<Void, Never>? in
            state.inside[ObjectIdentifier(channel)] = nil
            guard state.inside.isEmpty else { return nil }
            defer { state.waiting = nil }
            return state.waiting
        }
        waiting?.resume()
    }

    /// Lets nobody in any more, and returns when all have left; who is still sending has little time for it. For one
    /// caller.
    func close() async {
        await withCheckedContinuation { continuation in
            let inside = self.state.withLock { state in
                state.isClosed = true
                if !state.inside.isEmpty { state.waiting = continuation }
                return Array(state.inside.values)
            }
            if inside.isEmpty { continuation.resume() }
            for channel in inside { channel.pipeline.fireUserInboundEventTriggered(ConnectionDeadline.Hurry()) }
        }
    }
}
