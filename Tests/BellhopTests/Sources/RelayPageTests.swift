import BellhopCore
import Testing

@testable import Bellhop

@Suite struct RelayPageTests {
    private let now = Timestamp(seconds: 1_700_000_000)

    private func page(_ body: String) throws -> RelayPage { try RelayPage(Bytes(body), source: "relay", now: self.now) }

    private func fields(_ event: Event) throws -> [String: String] {
        try JSONParser().parse(event.fields) { json in
            var found: [String: String] = [:]
            for path in [
                "content.type", "content.device", "content.extra", "task.id", "task.name", "event_id", "content",
            ] {
                found[path] = json[try FieldPath(dotted: path)]?.leaf.text
            }
            return found
        }
    }

    static let shapeA = """
        {"category":"tasks","content":{"type":"acknowledged","device":"bob"},"task":{"id":"9C9A","name":"alerts",
        "task_type":{"major":1}},"event_id":"a195","timestamp":"2024-08-08T18:25:40.923947Z"}
        """
    static let shapeB = #"""
        {"category":"tasks","content":"{\"task\":{\"id\":\"mCcJ\",\"name\":\"al\\u0065rts\"},\"type\":\"start\",\"extra\":\"a\\\"b\"}",
        "content_type":"application/vnd.relay.tasks.parameters.v2+json","id":"a195f","timestamp":"2024-08-08T18:25:40.9Z"}
        """#

    @Test func `the current shape is taken as it is`() throws {
        let event = try #require(try self.page("[\(Self.shapeA)]").events.first)
        #expect(event.id == "a195" && event.task == "9C9A" && event.normalized == nil)
        #expect(event.time.description == "2024-08-08T18:25:40.923947Z")
        #expect(event.data.string == Self.shapeA)
    }

    @Test func `the older shape is forwarded as it came, and rules see the current one`() throws {
        let event = try #require(try self.page("[\(Self.shapeB)]").events.first)
        #expect(event.id == "a195f" && event.task == "mCcJ" && event.data.string == Self.shapeB)
        let fields = try self.fields(event)
        #expect(
            fields["content.type"] == "start" && fields["content.extra"] == "a\"b" && fields["task.name"] == "alerts"
        )
        #expect(fields["event_id"] == "a195f")
    }

    @Test func `a task inside the content comes to its place`() throws {
        let event = try #require(
            try self.page(#"[{"content":{"type":"end","task":{"id":"t"}},"event_id":"x"}]"#).events.first
        )
        #expect(event.task == "t")
        #expect(try self.fields(event)["content.type"] == "end")
    }

    @Test(arguments: [
        (#"{"event_id":"x","content":"plain text"}"#, "x"), (#"{"event_id":"x","content":"{not json"}"#, "x"),
        (#"{"event_id":"x","content":null,"task":null}"#, "x"), (#"{"event_id":7}"#, "7"),
        (#"{"event_id":"","id":"y"}"#, "y"),
        (#"{"event_id":null,"id":"y","content":"{}"}"#, "y"),
        (#"{"event_id":"x","task":{"id":7},"timestamp":12}"#, "x"),
        (#"{"event_id":"x","timestamp":"gestern","content":[]}"#, "x"),
    ])
    func `null, missing and odd fields do no harm`(json: String, id: String) throws {
        let page = try self.page("[\(json)]")
        #expect(page.events.first?.id == id && page.rejected.isEmpty)
        #expect(page.events.first?.time == self.now && page.times.isEmpty)
        #expect(page.events.first?.data.string == json)
    }

    @Test func `an event without an id is known by its bytes`() throws {
        let first = try #require(try self.page(#"[{"a":1}]"#).events.first)
        let again = try #require(try self.page(#"[ {"a":1} ]"#).events.first)
        let other = try #require(try self.page(#"[{"a":2}]"#).events.first)
        #expect(first.id == again.id && first.id != other.id && first.id.hasPrefix("sha256-"))
    }

    @Test func `bad elements are kept, and cost the page nothing`() throws {
        let page = try self.page("[null, \(Self.shapeA), 42, {\"a\":tru}, \"x\", \(Self.shapeB)]")
        #expect(page.events.count == 2 && page.count == 6)
        #expect(page.rejected.map(\.data.string) == ["null", "42", "{\"a\":tru}", "\"x\""])
        #expect(page.rejected.allSatisfy { !$0.reason.isEmpty })
    }

    @Test(arguments: ["[]", " [ ] ", "{}", #"{"events":[]}"#, #"{"data":[],"cursor":""}"#, "\u{FEFF}[]"])
    func `an empty page is one in every form`(body: String) throws {
        #expect(try self.page(body).count == 0)
    }

    @Test(arguments: [#"{"events":[EVENT],"cursor":"x"}"#, #"{"total":1,"data":[EVENT]}"#, "\u{FEFF}[EVENT]\n"])
    func `events are found in an envelope`(body: String) throws {
        #expect(try self.page(body.replacing("EVENT", with: Self.shapeA)).events.first?.data.string == Self.shapeA)
    }

    @Test(arguments: [
        ("", RelayPageError.nothing), ("<html></html>", .html), ("[{\"a\":1}", .truncated), ("[{\"a\":\"", .truncated),
        ("null", .notJSON),
        ("[] x", .notJSON), (#"{"message":"no"}"#, .unknownEnvelope), (#"{"events":{}}"#, .unknownEnvelope),
        ("[}", .notJSON),
    ])
    func `anything else is an error of the source`(body: String, error: RelayPageError) {
        #expect(throws: error) { try self.page(body) }
    }
}

@Suite struct PollFailureTests {
    private let now = Timestamp(seconds: 784_111_777)

    private func failure(_ status: Int, _ headers: [(name: String, value: String)] = []) -> PollFailure {
        PollFailure(
            HTTPResponse(
                status: status,
                head: Array(headers.map { "\($0.name): \($0.value)\r\n" }.joined().utf8),
                body: Bytes()
            ),
            host: "h",
            hints: [401: "the key"],
            now: self.now
        )
    }

    @Test(arguments: [401, 403, 404, 400, 301, 302, 418])
    func `what only a person can mend is asked for rarely`(status: Int) {
        let failure = self.failure(status)
        #expect(failure.patience == .rarely)
        #expect(failure.delay(failures: 1, jitter: 0) >= .seconds(20))
        #expect(failure.delay(failures: 100, jitter: 1) <= .seconds(900))
    }

    @Test(arguments: [500, 502, 503, 504, 408, 429])
    func `what passes is tried again with back-off and jitter`(status: Int) {
        let failure = self.failure(status)
        #expect(failure.delay(failures: 1, jitter: 1) == .seconds(1))
        #expect(failure.delay(failures: 4, jitter: 0.5) == .seconds(4))
        #expect(failure.delay(failures: 100, jitter: 1) == .seconds(60))
    }

    @Test(arguments: [
        ("7", 7), ("Sun, 06 Nov 1994 08:49:47 GMT", 10), ("Sunday, 06-Nov-94 08:49:37 GMT", 0), ("1.5", 1),
    ])
    func `Retry-After is a minimum`(header: String, seconds: Int64) {
        let delay = self.failure(429, [("Retry-After", header)]).delay(failures: 1, jitter: 0)
        #expect(delay >= .seconds(seconds) && delay < .seconds(seconds + 1))
    }

    @Test func `a redirect names the other host and nothing else of the address`() {
        let reason = self.failure(302, [("location", "https://other.example/path?key=secret")]).reason
        #expect(reason.contains("https://other.example") && !reason.contains("secret"))
    }
}

@Suite struct RetryAfterTests {
    private let now = Timestamp(seconds: 784_111_777)

    @Test(arguments: [
        ("0", 0), ("120", 120_000), (" 1.25 ", 1250), ("Sun, 06 Nov 1994 08:49:37 GMT", 0),
        ("Sun, 06 Nov 1994 08:50:37 GMT", 60_000),
        ("Sun Nov  6 08:50:37 1994", 60_000), ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
    ])
    func `seconds and the three dates`(text: String, milliseconds: Int64) {
        #expect(RetryAfter.parse(text, now: self.now) == .milliseconds(milliseconds))
    }

    @Test(arguments: ["", "soon", "-5", "Sun, 06 Foo 1994 08:49:37 GMT", "2030-01-01", "Sun, 99 Nov 1994 08:49:37 GMT"])
    func `nothing else`(text: String) { #expect(RetryAfter.parse(text, now: self.now) == nil) }
}
