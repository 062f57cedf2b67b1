import Bellhop
import BellhopCore
import Synchronization

/// A listener without a network: tests hand requests to the services themselves.
package final class DirectListener: HTTPListener {
    private struct State {
        var reserved: Set<String> = []
        var services: [String: InboundService] = [:]
        var isBlocked = false
    }

    private let state = Mutex(State())

    package init() {}

    package func reserve(_ path: String, at address: ListenAddress) -> Bool {
        self.state.withLock { $0.reserved.insert("\(address)\(path)").inserted }
    }

    package func serve(
        _ service: InboundService,
        at address: ListenAddress,
        onListening: @Sendable (Int) -> Void
    ) async throws {
        guard !self.state.withLock({ $0.isBlocked }) else { throw ListenerError("cannot listen on \(address)") }
        self.state.withLock { $0.services[service.path] = service }
        onListening(address.port)
        let (end, _) = AsyncStream<Void>.makeStream()
        for await _ in end {}
        self.state.withLock { $0.services[service.path] = nil }
    }

    /// Lets no service listen, or lets them again.
    package func block(_ isBlocked: Bool) { self.state.withLock { $0.isBlocked = isBlocked } }

    package func isServing(_ path: String) -> Bool { self.state.withLock { $0.services[path] != nil } }

    /// - `onRead`: called when the body is read.
    ///
    /// - Returns: nil where nobody serves the path.
    package func send(
        _ method: String = "POST",
        to path: String,
        query: String = "",
        _ body: String,
        headers: [(name: String, value: String)] = [("content-type", "application/json")],
        onRead: @escaping @Sendable () -> Void = {}
    ) async -> InboundAnswer? {
        guard let service = self.state.withLock({ $0.services[path] }) else { return nil }
        let bytes = Bytes(body)
        return await service.answer(
            InboundRequest(method: method, query: query, headers: headers) { () async throws(InboundAnswer) -> Bytes in
                onRead()
                return bytes
            }
        )
    }
}
