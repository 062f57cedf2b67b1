import BellhopCore

/// Trieve's analytics routes: what is sent, and what its answers mean (shared/facts/apis.md §2, from the server's source).
struct TrieveAPI: Sendable {
    let server: PolledServer
    let headers: [HTTPHeader]
    let kind: TrieveKind
    let http: HTTPClient
    let clock: any WallClock

    /// The first table is read by keyset; servers before May 2025 do not know the route.
    enum Page: Sendable {
        case rows([Bytes])
        case unknownRoute
    }

    /// Rows from a moment on, or behind a row, oldest first.
    func rows(
        from start: Timestamp,
        after last: TrieveKey?,
        limit: Int
    ) async throws(PollFailure) -> Page {
        let condition: String
        if let last {
            let (time, id) = (JSONText.string(last.createdAt), JSONText.string(last.id))
            condition =
                #"{"column":"created_at","operator":">","value":\#(time),"or_filter":[{"column":"created_at","#
                + #""operator":"=","value":\#(time),"and_filter":[{"column":"id","operator":">","value":\#(id)}]}]}"#
        } else {
            condition = #"{"column":"created_at","operator":">=","value":"\#(TrieveKey.text(start))"}"#
        }
        // Without `filter_conditions` the server loses its own filter by dataset, and gives out the rows of others.
        let body =
            #"{"columns":[],"table":"\#(self.kind.table)","filter_conditions":[\#(condition)],"#
            + #""order_by":{"columns":["created_at","id"],"direction":"asc"},"limit":\#(limit)}"#
        let response = try await self.send(.post, "/api/analytics", body)
        if [404, 405].contains(response.status), !TrieveAPI.message(response).contains("dataset") {
            return .unknownRoute
        }
        return .rows(try self.list(response, at: []))
    }

    /// One page of the older route: ten rows, newest first, of a closed window.
    func events(from start: Timestamp, to end: Timestamp, page: Int) async throws(PollFailure) -> [Bytes] {
        let range = #"{"gte":"\#(TrieveKey.text(start))","lt":"\#(TrieveKey.text(end))"}"#
        let body = #"{"filter":{"date_range":\#(range)},"page":\#(page)}"#
        return try self.list(try await self.send(.post, "/api/analytics/events/all", body), at: ["events"])
    }

    /// One event by its id, whatever the answer.
    func event(_ id: String) async throws(PollFailure) -> HTTPResponse {
        switch self.kind {
        case .events: try await self.send(.get, "/api/analytics/events/\(id.percentEncoded)", nil)
        case .search: try await self.details("search", "query_details", id)
        case .rag: try await self.details("rag", "rag_query_details", id)
        case .recommendations: try await self.details("recommendations", "query_details", id)
        case .topics:
            try await self.send(
                .post,
                "/api/analytics/rag",
                #"{"type":"topic_details","topic_id":\#(JSONText.string(id))}"#
            )
        }
    }

    private func details(_ route: String, _ type: String, _ id: String) async throws(PollFailure) -> HTTPResponse {
        try await self.send(
            .post,
            "/api/analytics/\(route)",
            #"{"type":"\#(type)","request_id":\#(JSONText.string(id))}"#
        )
    }

    private func send(
        _ method: HTTPRequest.Method,
        _ path: String,
        _ body: String?
    ) async throws(PollFailure) -> HTTPResponse {
        do {
            return try await self.http.send(
                self.server.request(method, path, headers: self.headers, body: body.map { Bytes($0) })
            )
        } catch {
            throw PollFailure(error)
        }
    }

    private func list(_ response: HTTPResponse, at path: [String]) throws(PollFailure) -> [Bytes] {
        guard response.status == 200 else { throw self.failure(response) }
        do {
            return try ItemPage(response.body, at: path).items
        } catch {
            throw PollFailure(unreadable: "\(error)", host: self.server.url.host)
        }
    }

    /// What an answer other than 200 means (apis.md §2.8).
    func failure(_ response: HTTPResponse) -> PollFailure {
        let message = TrieveAPI.message(response)
        let said = message.isEmpty ? "" : ": \(message)"
        let host = self.server.url.host
        switch response.status {
        case 400 where message.contains("Could not get database connection"):
            return PollFailure(
                reason: "\(host) answered HTTP 400\(said)",
                patience: .backOff(atLeast: nil),
                status: 400
            )
        case 500:
            let hint = " (its database fails or is not set up, or it is asked for what is not there)"
            return PollFailure(
                reason: "\(host) answered HTTP 500\(said)\(hint)",
                patience: .backOff(atLeast: nil),
                status: 500
            )
        default:
            let hints = [
                400: "it does not take the request\(said); check 'dataset' and 'organization'",
                401: "the key is refused, or the dataset is missing; check 'api_key' and 'dataset'",
                403: "the key may not read analytics; it needs the role admin or owner, or a scope for this route",
                404: "there is no such dataset; check 'dataset' and 'base_url'",
            ]
            return PollFailure(response, host: host, hints: hints, now: self.clock.now())
        }
    }

    /// `{"message": "…"}`, on one line.
    static func message(_ response: HTTPResponse) -> String {
        let text = try? JSONParser().parse(response.body) { $0["message"]?.leaf.text }
        return String(Markup.withoutControls(text.flatMap { $0 } ?? "").onOneLine.prefix(200))
    }
}
