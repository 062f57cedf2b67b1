import BellhopCore

/// Takes HTTP requests from others, for whoever waits to be called. `BellhopServer` has the real one.
package protocol HTTPListener: Sendable {
    /// Takes note of a path that somebody will serve; nothing is opened.
    /// - Returns: false where somebody has it already.
    func reserve(_ path: String, at address: ListenAddress) -> Bool
    /// Answers what comes to a path until cancelled; then refuses what is new (503), and returns when the requests under way
    /// are answered. Several paths may share one address.
    ///
    /// - `onListening`: called once connections are taken, with the port.
    ///
    /// - Throws: ``ListenerError`` where the address cannot be had, or is lost.
    func serve(_ service: InboundService, at address: ListenAddress, onListening: @Sendable (Int) -> Void) async throws
}

package struct ListenerError: Error, CustomStringConvertible {
    package let description: String

    package init(_ description: String) { self.description = description }
}

/// What answers the requests to one path.
package struct InboundService: Sendable {
    package let path: String
    /// Bytes of a request's body that are taken.
    package let bodyLimit: Int
    package let answer: @Sendable (InboundRequest) async -> InboundAnswer

    package init(
        path: String,
        bodyLimit: Int,
        answer: @escaping @Sendable (InboundRequest) async -> InboundAnswer
    ) {
        self.path = path
        self.bodyLimit = bodyLimit
        self.answer = answer
    }
}

/// A request whose body has not been read yet: who may not send need not be listened to.
package struct InboundRequest: Sendable {
    package let method: String
    /// Behind the `?`, as it came.
    package let query: String
    /// Names in lower case.
    package let headers: [(name: String, value: String)]
    /// Reads the body.
    /// - Throws: the answer, where it is too long, or there is no room for it at the moment.
    package let body: @Sendable () async throws(InboundAnswer) -> Bytes

    package init(
        method: String,
        query: String = "",
        headers: [(name: String, value: String)],
        body: @escaping @Sendable () async throws(InboundAnswer) -> Bytes
    ) {
        self.method = method
        self.query = query
        self.headers = headers
        self.body = body
    }

    /// The first of that name (in lower case), without blanks around it.
    package func header(_ name: String) -> String? {
        self.headers.first { $0.name == name }?.value.trimmingSpaces
    }

    /// A parameter of the query, decoded.
    package func parameter(_ name: String) -> String? {
        for pair in self.query.split(separator: "&") {
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            if parts[0] == name { return parts.count == 2 ? String(parts[1]).percentDecoded : "" }
        }
        return nil
    }
}

package struct InboundAnswer: Error, Sendable {
    package let status: Int
    package let headers: [(name: String, value: String)]
    package let body: String

    /// - `body`: JSON, or nothing.
    package init(_ status: Int, headers: [(name: String, value: String)] = [], body: String = "") {
        self.status = status
        self.headers = headers + (body.isEmpty ? [] : [("content-type", "application/json")])
        self.body = body
    }

    package init(_ status: Int, text: String, as type: String) {
        (self.status, self.headers, self.body) = (status, [("content-type", type)], text)
    }

    /// A refusal as RFC 9457 writes it.
    ///
    /// - `detail`: one sentence for whoever sent the request.
    package init(problem status: Int, _ detail: String, headers: [(name: String, value: String)] = []) {
        self.status = status
        self.headers = headers + [("content-type", "application/problem+json")]
        self.body = JSONText.object([
            "title": JSONText.string(InboundAnswer.titles[status] ?? "Error"), "status": "\(status)",
            "detail": JSONText.string(detail),
        ])
    }

    private static let titles = [
        400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed",
        413: "Content Too Large",
        415: "Unsupported Media Type", 429: "Too Many Requests", 503: "Service Unavailable",
    ]
}

/// Where nothing may listen.
package struct NoListener: HTTPListener {
    package init() {}

    package func reserve(_ path: String, at address: ListenAddress) -> Bool { true }

    package func serve(
        _ service: InboundService,
        at address: ListenAddress,
        onListening: @Sendable (Int) -> Void
    ) async throws {
        throw ListenerError("nothing listens here")
    }
}
