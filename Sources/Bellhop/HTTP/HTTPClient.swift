import BellhopCore

/// Sends HTTP requests through libcurl; connections are kept alive and shared by everybody.
package final class HTTPClient: Sendable {
    private let loop: TransferLoop
    private let userAgent: String

    private let guardian: NetworkGuard

    /// - `connections`: how many idle ones are kept for reuse.
    package init(userAgent: String, guardian: NetworkGuard = .default, connections: Int = 256) {
        self.loop = TransferLoop(connections: connections)
        self.userAgent = userAgent
        self.guardian = guardian
    }

    deinit { self.loop.close() }

    /// Sends the request and waits for the whole answer, whatever its status.
    package func send(_ request: HTTPRequest) async throws(HTTPError) -> HTTPResponse {
        let host: String
        do { host = try HTTPURL(request.url.reveal()).host } catch { throw .badURL }
        for header in request.headers {
            if let problem = HTTPHeader.problem(name: header.name, value: header.value.reveal()) {
                throw .badHeader(problem)
            }
        }
        let transfer = Transfer(request, host: host, userAgent: self.userAgent, guardian: self.guardian)
        let result = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                transfer.continuation = continuation
                if !self.loop.start(transfer) { transfer.finish(.failure(.cancelled)) }
            }
        } onCancel: {
            self.loop.cancel(transfer)
        }
        return try result.get()
    }

    /// Ends at once; requests still under way fail as cancelled.
    package func close() { self.loop.close() }
}
