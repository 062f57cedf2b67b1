import Bellhop
import BellhopCore
import NIOCore
import Synchronization

/// Takes HTTP requests with Hummingbird (https://github.com/hummingbird-project/hummingbird).
package final class HummingbirdListener: HTTPListener {
    private struct State {
        var reserved: [ListenAddress: Set<String>] = [:]
        var sites: [ListenAddress: ListenerSite] = [:]
    }

    private let limits: ListenerLimits
    private let state = Mutex(State())

    package init(_ limits: ListenerLimits = ListenerLimits()) { self.limits = limits }

    package func reserve(_ path: String, at address: ListenAddress) -> Bool {
        self.state.withLock { state in
            !state.reserved.keys.contains { $0.overlaps(address) }
                && state.reserved[address, default: []].insert(path).inserted
        }
    }

    package func serve(
        _ service: InboundService,
        at address: ListenAddress,
        onListening: @Sendable (Int) -> Void
    ) async throws {
        let site = self.site(at: address)
        let gate = ServiceGate(service)
        guard site.add(gate) else { throw ListenerError("\(address)\(service.path) is served already") }
        let running: ListenerSite.Running
        do {
            running = try await site.open()
        } catch {
            _ = site.remove(gate)
            self.forget(site, at: address)
            throw ListenerError("cannot listen on \(address): \(error)")
        }
        onListening(running.port)
        await self.untilCancelled(orEndOf: running)
        let isLost = !Task.isCancelled
        await gate.close()
        let isLast = site.remove(gate)
        if isLast || isLost { self.forget(site, at: address) }
        if isLost {
            running.task.cancel()
            throw ListenerError("the server on \(address) ended")
        }
        if isLast { await site.close(running) }
    }

    private func untilCancelled(orEndOf running: ListenerSite.Running) async {
        let (end, continuation) = AsyncStream<Void>.makeStream()
        running.channel.closeFuture.whenComplete { _ in continuation.finish() }
        // Ends when this task is cancelled, too.
        for await _ in end {}
    }

    private func site(at address: ListenAddress) -> ListenerSite {
        self.state.withLock { state in
            let site = state.sites[address] ?? ListenerSite(address, self.limits)
            state.sites[address] = site
            return site
        }
    }

    private func forget(_ site: ListenerSite, at address: ListenAddress) {
        self.state.withLock { if $0.sites[address] === site { $0.sites[address] = nil } }
    }
}
