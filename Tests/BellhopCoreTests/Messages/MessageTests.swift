import BellhopCore
import BellhopTesting
import Testing

@Suite struct MessageTests {
    static let acknowledged = """
        {"content":{"type":"acknowledged","device":"bob"},"task":{"id":"t1","name":"fire-alarm"},"event_id":"e1"}
        """

    private func slack(_ json: String, message: String? = nil, title: String? = nil) throws -> String {
        let rule = Rule(
            name: "r",
            title: try title.map { try Template($0) },
            message: try message.map { try Template($0) },
            sinks: ["ops"]
        )
        let time = try #require(Timestamp("2024-08-08T18:25:40Z"))
        let delivery = Delivery(id: 1, event: .stub(time: time, json: json), rule: rule, sink: "ops", attempt: 1)
        let body = try MessageContext.with(delivery) { SlackMessage.body($0) }
        return try JSONParser().parse(Bytes(body)) { try #require($0["text"]?.leaf.string) }
    }

    @Test func `a rule's message is filled in`() throws {
        let text = try self.slack(
            Self.acknowledged,
            message: "{{ content.device }} took *{{task.name}}* ({{event.id}}, {{rule.name}}{{nothing}})"
        )
        #expect(text == "bob took *fire-alarm* (e1, r)")
    }

    @Test func `a title stands above the message`() throws {
        #expect(try self.slack(Self.acknowledged, message: "m", title: "{{task.name}}") == "*fire-alarm*\nm")
    }

    @Test func `without a message there is a good one`() throws {
        #expect(try self.slack(Self.acknowledged) == "✅ *fire-alarm* acknowledged by *bob* · 2024-08-08 18:25:40 UTC")
        #expect(try self.slack(#"{"content":{"type":"timed_out"},"task":{"name":"x"}}"#).hasPrefix("⏰ *x* timed out"))
        #expect(try self.slack(#"{"content":{"type":"new-kind"}}"#).hasPrefix("*e1*: new-kind"))
        #expect(try self.slack("{}").hasPrefix("*e1* ·"))
    }

    @Test(arguments: ["<!channel>", "<@U123>", "<http://evil|click>", "a & b", "\"quote\\\"", "line\nbreak\u{1}", "🚒‮"])
    func `an event can neither break the payload nor ping anybody`(hostile: String) throws {
        let json =
            "{\"content\":{\"type\":\"acknowledged\",\"device\":\(JSONText.string(hostile))},\"task\":{\"name\":\"x\"}}"
        for text in [try self.slack(json), try self.slack(json, message: "{{{content.device}}}")] {
            let withoutEscapes = text.replacing("&lt;", with: "").replacing("&gt;", with: "").replacing(
                "&amp;",
                with: ""
            )
            #expect(!withoutEscapes.contains { "<>&".contains($0) }, "\(text)")
        }
    }

    @Test func `a message of any length stays within Slack's limit`() throws {
        let json = "{\"content\":{\"type\":\"acknowledged\",\"device\":\"\(String(repeating: "<", count: 100_000))\"}}"
        let text = try self.slack(json)
        #expect(text.unicodeScalars.count <= SlackMessage.limit && text.hasSuffix("…"))
        #expect(text.dropLast().hasSuffix("&lt;"))
    }

    @Test(arguments: ["{{", "a {{b", "{{}}", "{{#s}}", "{{a b}}", "{{a|b}}", "{{a..b}}", "{{{a}}"])
    func `a template's mistake is told when it is read`(source: String) {
        #expect(throws: TemplateError.self) { try Template(source) }
    }

    @Test func `JSON strings hold any text`() throws {
        let text = "\u{0}\u{1F}\"\\/\u{7F}é😀\u{2028}\r\n\t"
        let back = try JSONParser().parse(Bytes(JSONText.string(text))) { $0.leaf.string }
        #expect(back == text)
    }
}
