import BellhopCore

/// Sends HTTP requests through libcurl; connections are kept alive and shared by everybody.
package final class HTTPClient: Sendable {
    private let loop: TransferLoop
    private let userAgent: String

    /// - `connections`: how many idle ones are kept for reuse.
    package init(userAgent: String, guardian: NetworkGuard = .default, connections: Int = 256) {
        self.loop = TransferLoop(connections: connections, guardian: guardian)
        self.userAgent = userAgent
    }

    deinit { self.loop.close() }

    /// The thread that sends: for tasks that do little else and never block.
    package var executor: any TaskExecutor { self.loop }

    /// Sends the request and waits for the whole answer, whatever its status.
    package func send(_ request: HTTPRequest) async throws(HTTPError) -> HTTPResponse {
        guard !request.host.isEmpty else { throw .badURL }
        for header in request.headers where !header.isSendable {
            throw .badHeader(HTTPHeader.problem(name: header.name, value: header.value.reveal()) ?? "a header")
        }
        let transfer = Transfer(request, userAgent: self.userAgent, gate: self.loop.gate)
        let result = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                transfer.continuation = continuation
                if !self.loop.start(transfer) { transfer.finish(.failure(.cancelled(sent: false))) }
            }
        } onCancel: {
            self.loop.cancel(transfer)
        }
        return try result.get()
    }

    /// Ends at once; requests still under way fail as cancelled.
    package func close() { self.loop.close() }
}
