import Bellhop
import BellhopCore
import BellhopSimulator
import Testing

@Suite(.timeLimit(.minutes(4))) struct HTTPClientTests {
    private let client = HTTPClient(userAgent: "Bellhop-Tests")

    private func send(
        _ answer: SimulatedAnswer,
        method: HTTPRequest.Method = .post,
        timeout: Duration = .seconds(5),
        limit: Int = 1000,
        gzip: Bool = false
    ) async throws -> Result<HTTPResponse, HTTPError> {
        let server = try await SimulatedServer { _ in answer }
        let request = HTTPRequest(
            method: method,
            url: Secret("\(server.url)/path/secret?x=1"),
            headers: [],
            body: Bytes("{}"),
            timeout: timeout,
            answerLimit: limit,
            acceptsGzip: gzip
        )
        let result = await Result { () async throws(HTTPError) in try await self.client.send(request) }
        await server.close()
        return result
    }

    @Test func `an answer comes whole, whatever its status`() async throws {
        let response = try await self.send(SimulatedAnswer(status: 418, headers: [("X-Tea", " pot ")], body: "short"))
            .get()
        #expect(response.status == 418 && response.header("x-tea") == "pot" && response.body.string == "short")
    }

    @Test func `what is sent arrives, with the user agent and without what nobody asked for`() async throws {
        let server = try await SimulatedServer { request in
            let headers = request.headers.map { "\($0.name.lowercased()): \($0.value)" }.sorted().joined(
                separator: "\n"
            )
            return SimulatedAnswer(
                body: "\(request.method) \(request.path) \(request.query["q"] ?? "")\n\(headers)\n\(request.body.count)"
            )
        }
        let request = HTTPRequest(
            method: .post,
            url: Secret("\(server.url)/a?q=%C3%A9"),
            headers: [HTTPHeader("X-One", "1")],
            body: Bytes(String(repeating: "x", count: 2_000_000)),
            timeout: .seconds(5)
        )
        let text = try await self.client.send(request).body.string
        #expect(
            text.hasPrefix("POST /a é\n") && text.hasSuffix("\n2000000") && text.contains("x-one: 1")
                && text.contains("user-agent: Bellhop-Tests")
        )
        #expect(!text.contains("expect:"))
        await server.close()
    }

    @Test func `a redirect is an answer, not a way`() async throws {
        let response = try await self.send(SimulatedAnswer(status: 302, headers: [("location", "http://127.0.0.1:1/")]))
            .get()
        #expect(response.status == 302)
    }

    @Test func `each way of failing has its name`() async throws {
        func error(_ result: Result<HTTPResponse, HTTPError>) -> HTTPError? {
            if case .failure(let error) = result { error } else { nil }
        }
        guard case .noAnswer = error(try await self.send(SimulatedAnswer(fault: .reset))) else {
            Issue.record("reset")
            return
        }
        let half = SimulatedAnswer(body: "0123456789", fault: .cutShort)
        guard case .noAnswer = error(try await self.send(half)) else {
            Issue.record("cut short")
            return
        }
        guard case .timeout = error(try await self.send(SimulatedAnswer(fault: .silence), timeout: .milliseconds(200)))
        else {
            Issue.record("silence")
            return
        }
        let long = SimulatedAnswer(body: String(repeating: "x", count: 2000))
        guard case .answerTooLarge = error(try await self.send(long, method: .get)) else {
            Issue.record("too large")
            return
        }
        for (url, expected) in [
            ("http://127.0.0.1:1/", "cannot connect"), ("http://nowhere.invalid/", "does not resolve"),
            ("ftp://x/", "not valid"),
        ] {
            let request = HTTPRequest(method: .get, url: Secret(url), headers: [], timeout: .seconds(5))
            let result = await Result { () async throws(HTTPError) in try await self.client.send(request) }
            #expect("\(error(result).map { "\($0)" } ?? "")".contains(expected))
        }
    }

    @Test func `a long answer to a POST is cut, and its status counts`() async throws {
        let response = try await self.send(SimulatedAnswer(status: 503, body: String(repeating: "x", count: 200_000)))
            .get()
        #expect(response.status == 503 && response.body.count == 1000)
    }

    @Test func `an error does not tell the URL`() async throws {
        let result = try await self.send(SimulatedAnswer(fault: .reset))
        guard case .failure(let error) = result else {
            Issue.record("no error")
            return
        }
        #expect(!"\(error)".contains("secret"))
    }

    @Test func `cancelling ends a request at once`() async throws {
        let (arrived, arrival) = AsyncStream<Void>.makeStream()
        let server = try await SimulatedServer { _ in
            arrival.yield()
            return SimulatedAnswer(fault: .silence)
        }
        let request = HTTPRequest(method: .get, url: Secret(server.url), headers: [], timeout: .seconds(60))
        let task = Task { await Result { () async throws(HTTPError) in try await self.client.send(request) } }
        for await _ in arrived { break }
        task.cancel()
        guard case .failure(.cancelled) = await task.value else {
            Issue.record("not cancelled")
            return
        }
        await server.close()
    }

    @Test func `many requests run at once over few connections`() async throws {
        let server = try await SimulatedServer { _ in SimulatedAnswer(delay: .milliseconds(2)) }
        let statuses = await withTaskGroup(of: Int.self) { group in
            for _ in 0..<300 {
                group.addTask {
                    let request = HTTPRequest(
                        method: .post,
                        url: Secret(server.url),
                        headers: [],
                        body: Bytes("x"),
                        timeout: .seconds(20)
                    )
                    return (try? await self.client.send(request).status) ?? 0
                }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
        #expect(statuses.count == 300 && statuses.allSatisfy { $0 == 200 })
        await server.close()
    }

    @Test func `a closed client refuses and does not hang`() async {
        let client = HTTPClient(userAgent: "x")
        client.close()
        let request = HTTPRequest(method: .get, url: Secret("http://127.0.0.1:1/"), headers: [], timeout: .seconds(5))
        let result = await Result { () async throws(HTTPError) in try await client.send(request) }
        guard case .failure(.cancelled) = result else {
            Issue.record("sent")
            return
        }
    }

    @Test(
        arguments: [
            ("https://example.org/x", nil), ("http://10.0.0.1:80", nil), ("example.org", "begins with"),
            ("ftp://x/", "only https"),
            ("https://", "no host"), ("https://a:b@c/", "user or password"), ("https://a/ b", "space"),
            ("https://a/\n", "space"),
        ] as [(String, String?)]
    )
    func `URLs are checked before they are used`(url: String, problem: String?) {
        do {
            _ = try HTTPURL(url)
            #expect(problem == nil)
        } catch { #expect(problem.map { error.description.contains($0) } == true, "\(error)") }
    }

    @Test func `a header can hold no line break`() {
        #expect(HTTPHeader.problem(name: "X-A", value: "fine\tvalue é") == nil)
        for value in ["a\r\nX-B: 1", "a\n", "\0", "\u{7F}"] {
            #expect(HTTPHeader.problem(name: "X-A", value: value) != nil)
        }
        for name in ["", "X A", "X:A", "é"] { #expect(HTTPHeader.problem(name: name, value: "1") != nil) }
    }
}

extension Result where Failure == HTTPError, Success: Sendable {
    fileprivate init(_ body: () async throws(HTTPError) -> Success) async {
        do { self = .success(try await body()) } catch { self = .failure(error) }
    }
}
