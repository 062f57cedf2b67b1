import BellhopCore
import BellhopSimulator
import BellhopTesting
import Synchronization
import Testing

@testable import Bellhop

/// Where connections may lead.
@Suite(.timeLimit(.minutes(4))) struct RouteTests {
    private func send(_ url: String, _ client: HTTPClient, _ route: HTTPRoute = HTTPRoute()) async -> String {
        let request = HTTPRequest(
            method: .post,
            url: Secret(url),
            headers: [],
            body: Bytes("{}"),
            timeout: .seconds(5),
            route: route
        )
        do { return "\(try await client.send(request).status)" } catch { return "\(error)" }
    }

    @Test func `what the guard refuses is not connected to, however it is written`() async throws {
        let receiver = ReceiverSimulator()
        let server = try await SimulatedServer { receiver.answer($0) }
        let guardian = NetworkGuard(OptionReader.stub(#"{"deny":["loopback"]}"#))
        let client = HTTPClient(userAgent: "x", guardian: guardian)
        for host in [
            "127.0.0.1", "localhost", "2130706433", "0x7f.1", "0177.0.0.1", "127.1", "0", "[::ffff:127.0.0.1]", "[::1]",
            "x.localhost",
        ] {
            let result = await self.send("http://\(host):\(server.port)/", client)
            #expect(result.contains("which 'network' refuses (loopback)"), "\(host): \(result)")
        }
        #expect(receiver.requests == 0)
        #expect(await self.send(server.url, HTTPClient(userAgent: "x")) == "200")
        await server.close()
    }

    @Test func `the addresses where clouds keep keys are refused without configuration`() async {
        let client = HTTPClient(userAgent: "x")
        for host in ["169.254.169.254", "[fd00:ec2::254]", "2852039166", "[::ffff:169.254.169.254]"] {
            let result = await self.send("http://\(host)/latest/meta-data/", client)
            #expect(result.contains("(metadata)"), "\(host): \(result)")
        }
    }

    @Test func `a refused address is a dead letter at once`() async throws {
        let options = OptionReader.stub(#"{"url":"http://169.254.169.254/"}"#)
        let sink = WebhookSink(name: "s", options: options, context: .stub())
        let delivery = Delivery(id: 1, event: .stub(), rule: Rule(name: "r", sinks: ["s"]), sink: "s", attempt: 1)
        guard case .failure(.unsendable) = await sink.deliver([delivery])[0] else {
            Issue.record("not permanent")
            return
        }
    }

    @Test func `a connection that is used again is asked about again`() {
        let gate = AddressGate(NetworkGuard(OptionReader.stub(#"{"deny":["10.0.0.0/8"]}"#)))
        #expect(gate.refusal(of: IPAddress("127.0.0.1")) == nil)
        #expect(gate.isLastAdmitted("127.0.0.1") && !gate.isLastAdmitted("10.0.0.1"))
        #expect(gate.refusal(of: IPAddress("10.0.0.1"))?.rule == "10.0.0.0/8")
        #expect(gate.isLastAdmitted("127.0.0.1") && !gate.isLastAdmitted("10.0.0.1"))
    }

    @Test func `a proxy is used where it is configured, and only there`() async throws {
        let asked = Mutex<[String]>([])
        let proxy = try await SimulatedServer { request in
            let user = request.header("proxy-authorization") ?? "nobody"
            asked.withLock { $0.append("\(request.path) \(user)") }
            return SimulatedAnswer(status: 202)
        }
        var route = HTTPRoute()
        route.proxy = .url(Secret("http://me:pass@127.0.0.1:\(proxy.port)"))
        let client = HTTPClient(userAgent: "x")
        #expect(await self.send("http://nowhere.invalid/hook", client, route) == "202")
        #expect(asked.withLock { $0 } == ["http://nowhere.invalid/hook Basic bWU6cGFzcw=="])
        #expect(await self.send("http://nowhere.invalid/hook", client).contains("does not resolve"))
        await proxy.close()
    }

    @Test(
        arguments: [
            ("none", nil), ("environment", nil), ("http://proxy:3128", nil), ("socks5h://u:p@proxy", nil),
            ("proxy:3128", "begins with"),
            ("ftp://proxy", "begins with"), ("http://", "names no host"), ("http://a b", "space"),
            ("http://a:99999", "port"), ("http://u:p#x@a", "#"),
            ("Environment", "begins with"),
        ] as [(String, String?)]
    ) func `proxies are checked`(text: String, problem: String?) {
        let diagnostics = Diagnostics()
        _ = HTTPRoute(OptionReader.stub("{\"proxy\":\"\(text)\"}", diagnostics), context: .stub())
        #expect(diagnostics.all.map(\.message).contains { problem.map($0.contains) ?? true } == (problem != nil))
    }

    @Test func `a header that was rendered with a line break is not sent`() async throws {
        let receiver = ReceiverSimulator()
        let server = try await SimulatedServer { receiver.answer($0) }
        for header in [HTTPHeader("X-A", "1\r\nX-B: 2"), HTTPHeader("X-A\r\nX-B", "1"), HTTPHeader("X-A", "\u{0}")] {
            let request = HTTPRequest(method: .post, url: Secret(server.url), headers: [header], timeout: .seconds(5))
            await #expect(throws: HTTPError.self) { try await HTTPClient(userAgent: "x").send(request) }
        }
        #expect(receiver.requests == 0)
        await server.close()
    }

    @Test func `headers arrive as they are, also empty ones, and a header without end is refused`() async throws {
        let server = try await SimulatedServer { request in
            let found = ["x-one", "x-empty"].map { request.header($0).map { "[\($0)]" } ?? "absent" }
            let isLong = request.path == "/long"
            let long = (0..<300).map { ("X-\($0)", String(repeating: "y", count: 300)) }
            return SimulatedAnswer(headers: isLong ? long : [("x-two", "  2 ")], body: found.joined())
        }
        let client = HTTPClient(userAgent: "x")
        let headers = [HTTPHeader("X-One", "1 é"), HTTPHeader("X-Empty", "")]
        let request = HTTPRequest(method: .post, url: Secret(server.url), headers: headers, timeout: .seconds(5))
        let response = try await client.send(request)
        #expect(
            response.body.string == "[1 é][]" && response.header("X-TWO") == "2" && response.header("x-three") == nil
        )
        #expect(await self.send("\(server.url)/long", client).contains("no whole answer"))
        await server.close()
    }
}
