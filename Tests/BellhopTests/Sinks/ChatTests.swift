import BellhopCore
import BellhopTesting
import Testing

@testable import Bellhop

@Suite(.serialized) struct ChatTests {
    static let kinds = Sinks.all.map { $0.kind }.filter { !["webhook", "file", "stdout", "command"].contains($0) }

    private func sink(_ kind: String, _ more: String = "") throws -> any Sink {
        let type = try #require(Sinks.all.first { $0.kind == kind })
        let diagnostics = Diagnostics()
        let own =
            switch kind {
            case "telegram": #""bot_token":"123:TOKEN","chat_id":"-100123""#
            case "pagerduty": #""routing_key":"ROUTING-KEY""#
            case "opsgenie": #""api_key":"API-KEY""#
            case "ntfy": #""topic":"ops","token":"NTFY-TOKEN""#
            default: #""url":"https://chat.example.org/hook/SECRET?key=SECRET""#
            }
        let options = OptionReader.stub("{\(own)\(more)}", diagnostics)
        let sink = type.init(
            name: "ops",
            options: options,
            context: .stub(clock: ManualClock(now: Timestamp(seconds: 0)))
        )
        options.finish()
        #expect(diagnostics.all.map(\.message) == [])
        return sink
    }

    private static func event(_ type: String, _ name: String = "fire-alarm", device: String = "bob") -> Event {
        let json = """
            {"content":{"type":\(JSONText.string(type)),"device":\(JSONText.string(device)),"status":"normal"},\
            "task":{"id":"t1","name":\(JSONText.string(name))},"event_id":"e1"}
            """
        return .stub(time: Timestamp("2024-08-08T18:25:40.923947Z") ?? .distantPast, task: "t1", json: json)
    }

    // MARK: - What people see

    @Test(arguments: kinds) func `what is sent is what the golden file says`(kind: String) throws {
        let sink = try self.sink(kind)
        var text = ""
        for type in ["start", "acknowledged", "timed_out", "end", "new-kind"] {
            let preview = try sink.preview(try Delivery.stub(Self.event(type)))
            text += "== \(type)\n\((preview.head + ["", preview.body]).joined(separator: "\n"))\n"
        }
        let own = try Delivery.stub(Self.event("start"), title: "{{task.name}}", message: "*{{content.device}}* & <co>")
        text += "== with a title and message\n\(try sink.preview(own).body)\n"
        #expect(try Golden.file("chat/\(kind).txt", text) == text)
        #expect(
            !text.contains("SECRET") && !text.contains("ROUTING-KEY") && !text.contains("TOKEN")
                && !text.contains("API-KEY")
        )
    }

    @Test func `a long text is cut at its end, not where an ampersand stands`() throws {
        let device = String(repeating: "x", count: 22_000)
        for kind in ["slack", "discord", "mattermost", "rocket_chat", "teams"] {
            let delivery = try Delivery.stub(
                Self.event("start", device: device),
                message: "R&D & more: {{content.device}}"
            )
            #expect(try self.sink(kind).preview(delivery).body.utf8.count > 3900, "\(kind)")
        }
    }

    @Test func `a value cannot leave an attribute of the author's HTML`() throws {
        let event = Self.event("start", device: "https://x\" onclick=\"y")
        let delivery = try Delivery.stub(event, message: "<a href=\"{{content.device}}\">open</a>")
        let body = try self.sink("telegram", ",\"html\":true").preview(delivery).body
        try JSONParser().parse(Bytes(body)) {
            #expect($0["text"]?.leaf.text == "<a href=\"https://x&quot; onclick=&quot;y\">open</a>")
        }
    }

    @Test func `an alert whose id is a way in a URL, or nothing, has a key all the same`() throws {
        for task in ["..", ".", " ", "\u{0}"] {
            let event = Event.stub(task: task, json: "{\"content\":{\"type\":\"end\"}}")
            let head = try self.sink("opsgenie").preview(try Delivery.stub(event)).head[0]
            #expect(
                head.hasPrefix("POST https://api.opsgenie.com/v2/alerts/task-") && head.contains("/close?"),
                "\(head)"
            )
        }
    }

    @Test(arguments: [
        ("opsgenie", #"{"api_key":"key\nwith newline"}"#, "cannot be sent"),
        ("ntfy", #"{"topic":"a b"}"#, "'topic' is up to 64"),
        ("ntfy", #"{"topic":"t","base_url":"https://ntfy.example.org?x=1"}"#, "without ? and #"),
        ("opsgenie", #"{"api_key":"key123456","headers":{"authorization":"x"}}"#, "is Bellhop's own"),
        ("webhook", #"{"url":"https://x.example","headers":{"ce-id":"forged"}}"#, "is Bellhop's own"),
        ("webhook", #"{"url":"https://x.example","cloudevents":{"source":"my hotel 100"}}"#, "URI reference"),
        ("webhook", #"{"url":"https://x.example","cloudevents":{"type":""}}"#, "'type' is a text"),
        ("stdout", #"{"format":"cloudevents_binary"}"#, "'format' is one of"),
        ("pagerduty", #"{"routing_key":"k","severity":"bad"}"#, "'severity' is one of"),
    ])
    func `a mistake in the options is told when they are read`(kind: String, json: String, message: String) throws {
        let type = try #require(Sinks.all.first { $0.kind == kind })
        let diagnostics = Diagnostics()
        _ = type.init(name: "s", options: .stub(json, diagnostics), context: .stub())
        #expect(diagnostics.all.contains { $0.message.contains(message) }, "\(diagnostics.all.map(\.message))")
    }

    // MARK: - Hostile events

    static let hostile = [
        "Ⓐ@channel @\u{345}all", "\u{2028}", "\u{200B}\u{2060}", "\u{3000}", "..", "x\" y=\"z",
        "R&D: " + String(repeating: "x", count: 22_000),
        "fire" + String(repeating: "\u{301}", count: 5000), String(repeating: "\n", count: 20_000) + "x",
        "\"quotes\" and \\backslashes\\", "<!channel> <@U123> <!here|x>", "@everyone @here @channel @all @bob",
        "<users/all> <at>everyone</at> <b>bold</b> &amp; &lt;",
        "[click](https://evil.example) <https://evil.example|click>",
        "*bold* _it_ ~s~ `c` ```pre``` ||spoiler|| # h > q", "control \u{0}\u{1}\u{7}\u{1B}[31m\u{7F}\u{85} end",
        "line\r\nbreak\n\n\nmore",
        "مرحبا \u{202E}evil\u{202C} \u{2066}x\u{2069}", "🚒👨‍👩‍👧‍👦🏳️‍🌈e\u{301}\u{301}\u{301}", "", " ",
        "{{content.device}} {{{x}}}", "'; DROP TABLE --",
        String(repeating: "<", count: 100_000), String(repeating: "\"", count: 100_000),
        String(repeating: "👨‍👩‍👧‍👦", count: 5000), String(repeating: "\\", count: 5000),
        String(repeating: "é", count: 5000),
        String(repeating: "*_", count: 3000), String(repeating: "@all ", count: 1200),
        String(repeating: "a\n", count: 3000),
    ]

    /// The whole text a service shows, and its JSON.
    private func sent(_ kind: String, _ delivery: Delivery, _ more: String = "") throws -> String {
        try self.sink(kind, more).preview(delivery).body
    }

    @Test(arguments: kinds) func `no event breaks a payload, exceeds a limit or mentions anybody`(
        kind: String
    ) async throws {
        for value in Self.hostile {
            // Long values once: building them costs more than judging them.
            let types =
                value.utf8.count < 1000 ? ["start", "acknowledged", "timed_out", "end", value] : ["acknowledged"]
            let builtIn = types.map {
                Self.event($0, value, device: value)
            }
            .map { Delivery(id: 1, event: $0, rule: Rule(name: "r", sinks: ["ops"]), sink: "ops", attempt: 1) }
            let own = try Delivery.stub(
                Self.event("start", value, device: value),
                title: "{{{task.name}}}",
                message: "x {{{content.device}}} {{task.name | json}}"
            )
            for delivery in builtIn + [own] {
                await Task.yield()
                let body = try self.sent(kind, delivery)
                try JSONParser().parse(Bytes(body)) { json in
                    ChatLimits.check(kind, json, body, value)
                }
            }
        }
    }
}

/// The services' published limits and mention syntax (shared/facts/webhooks.md §3).
private enum ChatLimits {
    static func check(_ kind: String, _ json: JSON, _ body: String, _ value: String) {
        let note = Comment(rawValue: "\(kind): \(body.prefix(300))")
        func text(_ path: String...) -> String { json[FieldPath(path)]?.leaf.string ?? "" }
        switch kind {
        case "slack":
            let bare = text("text").replacing("&lt;", with: "").replacing("&gt;", with: "").replacing("&amp;", with: "")
            #expect(text("text").unicodeScalars.count <= 4000 && !text("text").isEmpty, note)
            #expect(!bare.contains("<") && !bare.contains(">") && !bare.contains("&"), note)
        case "discord":
            var total = 0
            json["embeds"]?.forEachElement { embed in
                let (title, description) = (embed["title"]?.leaf.text ?? "", embed["description"]?.leaf.text ?? "")
                #expect(title.utf16.count <= 256 && description.utf16.count <= 4096 && !description.isEmpty, note)
                #expect(!mentions(title + description), note)
                total += title.utf16.count + description.utf16.count
                return true
            }
            #expect(total <= 6000, note)
            #expect(json["allowed_mentions"]?.json == #"{"parse":[]}"#, note)
        case "teams":
            #expect(body.utf8.count <= 28_000, note)
            #expect(json["type"]?.leaf.text == "message", note)
        case "google_chat":
            #expect(body.utf8.count <= 32_000 && !text("text").isEmpty, note)
            #expect(!text("text").contains("<users/") && !text("text").contains("<http"), note)
        case "mattermost":
            #expect(text("text").unicodeScalars.count <= 16_383 && !mentions(text("text")), note)
        case "rocket_chat":
            #expect(text("text").utf16.count <= 5000 && !mentions(text("text")), note)
        case "telegram":
            let isHTML = json["parse_mode"] != nil
            let tags = ["<b>", "</b>"].reduce(text("text")) { $0.replacing($1, with: "") }
            let bare = ["&lt;", "&gt;", "&amp;", "&quot;"].reduce(tags) { $0.replacing($1, with: "x") }
            #expect(bare.utf16.count <= 4096 && !bare.isEmpty && !mentions(bare), note)
            if isHTML { #expect(!bare.contains("<") && !bare.contains("&"), note) }
        case "pagerduty":
            let action = text("event_action")
            #expect(["trigger", "acknowledge", "resolve"].contains(action), note)
            #expect((1...255).contains(text("dedup_key").unicodeScalars.count) && body.utf8.count <= 512_000, note)
            if action == "trigger" {
                #expect((1...1024).contains(text("payload", "summary").unicodeScalars.count), note)
                #expect(["critical", "error", "warning", "info"].contains(text("payload", "severity")), note)
                #expect(!text("payload", "source").isEmpty, note)
            }
        case "opsgenie":
            guard json["alias"] != nil else { return }
            #expect((1...130).contains(text("message").unicodeScalars.count), note)
            #expect(
                text("alias").unicodeScalars.count <= 512 && text("description").unicodeScalars.count <= 15_000,
                note
            )
        case "ntfy":
            #expect((1...4096).contains(text("message").utf8.count) && body.utf8.count <= 8192, note)
        default: Issue.record("no limits are known for \(kind)")
        }
    }

    /// `@` at the start of a word, followed by a name.
    private static func mentions(_ text: String) -> Bool {
        var before: Unicode.Scalar = " "
        var isAfterAt = false
        for scalar in text.unicodeScalars {
            if isAfterAt, scalar.properties.isAlphabetic { return true }
            isAfterAt = scalar == "@" && !(before.isASCII && before.properties.isAlphabetic)
            before = scalar
        }
        return false
    }
}
