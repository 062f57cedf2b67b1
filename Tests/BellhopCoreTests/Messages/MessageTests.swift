import BellhopCore
import BellhopSimulator
import BellhopTesting
import Foundation
import Testing

@Suite struct TemplateTests {
    static let event = """
        {"content":{"type":"acknowledged","device":"bob","empty":"","tags":["a","b"],"big":12345678901234567890,
         "seconds":192,"people":[{"name":"ann","on":true},{"name":"bea","on":false}],"none":null,"a.b":"dotted"},
         "task":{"id":"t1","name":"fire-alarm"},"event_id":"e1","rule":"own"}
        """

    private func render(_ template: String, _ json: String = event) throws -> String {
        let time = try #require(Timestamp("2026-03-29T01:30:00Z"))
        let delivery = try Delivery.stub(.stub(time: time, json: json), message: template)
        return try MessageContext.with(delivery) { ChatMessage($0, Markup(bold: { $0 }) { "<\($0)>" }).text }
    }

    @Test(arguments: [
        ("{{ content.device }} took {{task.name}}{{nothing}}{{content.none}}", "<bob> took <fire-alarm><><>"),
        ("{{event.id}} {{event.source}} {{event.time}}", "<e1> <relay> <2026-03-29T01:30:00.000000Z>"),
        ("{{rule.name}} {{event.data.task.id}} {{event.data.rule}}", "<r> <t1> <own>"),
        // Escaped however it is written.
        ("{{{content.device}}} {{&content.device}}", "<bob> <bob>"),
        (#"{{content.a\.b}}"#, "<dotted>"),
        ("{{content.big}} {{content.tags}}", "<12345678901234567890> <a, b>"),
        ("{{#content.tags}}{{.}};{{/content.tags}}", "<a>;<b>;"),
        (
            "{{#content.people}}{{name}}{{#on}}!{{/on}}{{^on}}?{{/on}} {{task.id}},{{/content.people}}",
            "<ann>! <t1>,<bea>? <t1>,"
        ),
        ("{{#content.device}}yes{{/content.device}}{{^content.device}}no{{/content.device}}", "yes"),
        ("{{#content.empty}}yes{{/content.empty}}{{^content.empty}}no{{/content.empty}}", "no"),
        ("{{#content.nothing}}yes{{/content.nothing}}{{^content.none}}no{{/content.none}}", "no"),
        ("{{#task}}{{name}}{{/task}}", "<fire-alarm>"),
        ("a{{! a comment }}b", "ab"),
        ("{{#task}}\nline\n{{/task}}\nend", "line\nend"),
        ("one brace { is } text, so is }}", "one brace { is } text, so is }}"),
        ("{{lifecycle.ack_after}}", "<>"),
    ])
    func `fields, sections and comments are Mustache's`(template: String, text: String) throws {
        #expect(try self.render(template) == text)
    }

    @Test(arguments: [
        ("{{content.device | upper}}", "<BOB>"),
        ("{{content.device | upper | lower}}", "<bob>"),
        (#"{{nothing.at.all | default "some | body" | upper}}"#, "<SOME | BODY>"),
        (#"{{content.empty | default nobody}} {{content.device|default x}}"#, "<nobody> <bob>"),
        ("{{task.name | truncate 5}} {{task.name | truncate 10}}", "<fire…> <fire-alarm>"),
        (
            "{{content.tags | json}} {{nothing | json}} {{content.big | json}}",
            #"<["a","b"]> <null> <12345678901234567890>"#
        ),
        ("{{content.seconds | duration}} {{content.seconds | duration ms}}", "<3m 12s> <0.2s>"),
        ("{{event.time | time}}", "<2026-03-29 01:30:00>"),
        // Half an hour after the clocks went forward.
        (#"{{event.time | time "%H:%M %Z %z" Europe/Berlin}}"#, "<03:30 CEST +0200>"),
        (#"{{event.time | time "%a %e %B %Y, %I:%M %p" America/New_York}}"#, "<Sat 28 March 2026, 09:30 PM>"),
        ("{{content.device | time}}", "<bob>"),
        ("{{#content.people}}{{name | upper}}{{/content.people}}", "<ANN><BEA>"),
    ])
    func `filters change a field before it is escaped`(template: String, text: String) throws {
        #expect(try self.render(template) == text)
    }

    @Test(arguments: [
        ("{{", "never closed"), ("a {{b", "never closed"), ("{{{a}}", "never closed"), ("{{}}", "missing"),
        ("{{#s}}", "{{#s}} is never closed"), ("{{/s}}", "never opened"), ("{{#a}}{{/b}}", "closes the section {{#a}}"),
        ("{{a b}}", "a filter is written"), ("{{a..b}}", "empty field name"), ("{{> part}}", "part of Mustache"),
        ("{{=<% %>=}}", "part of Mustache"), ("{{a | uper}}", "did you mean 'upper'?"), ("{{a | }}", "missing"),
        ("{{a | truncate}}", "needs a number"), ("{{a | truncate 0}}", "needs a number"),
        ("{{a | default}}", "needs a text"), (#"{{a | default "x}}"#, "quotation mark"),
        ("{{a | upper 3}}", "does not take '3'"),
        (#"{{a | time "%Q"}}"#, "'%Q'"), (#"{{a | time "%H" Mars/Base}}"#, "no time zone 'Mars/Base'"),
        ("{{a | duration weeks}}", "unit"), ("x {{.}}", "this is in none"),
        (String(repeating: "{{#a}}", count: 51) + String(repeating: "{{/a}}", count: 51), "nested more than 50 deep"),
        ("{{a" + String(repeating: "| upper", count: 21) + "}}", "at most 20 filters"),
        (String(repeating: "x", count: 40_000), "at most 32000"), ("{{fire(a)}}", "a filter is written"),
    ])
    func `a mistake is told when the template is read`(source: String, message: String) throws {
        let error = #expect(throws: TemplateError.self) { try Template(source, zones: .machine) }
        #expect("\(try #require(error))".contains(message), "\(String(describing: error))")
    }

    @Test(arguments: 0..<40 as Range<UInt64>) func `random templates are refused or rendered, and never crash`(
        seed: UInt64
    ) async throws {
        var random = SeededGenerator(seed: seed)
        let pieces = [
            "{{", "}}", "{{{", "}}}", "{", "}", "#", "^", "/", "content", ".", "device", "tags", " ", "\n", "| upper",
            "|",
            "json", "\"", "é", "\u{301}", "🚒", "\\", "{{#content.tags}}", "{{/content.tags}}", "{{.}}", "\r\n", "!",
            "&", ">",
            "(", ")", "0", "%",
        ]
        for _ in 0..<200 {
            await Task.yield()
            let source = (0..<Int.random(in: 1...12, using: &random)).map { _ in
                pieces.randomElement(using: &random) ?? ""
            }
            .joined()
            if (try? Template(source)) != nil { _ = try self.render(source) }
        }
    }
}

@Suite struct BodyTemplateTests {
    private func render(_ body: String) throws -> String {
        let delivery = try Delivery.stub(.stub(json: TemplateTests.event), body: body)
        return try MessageContext.with(delivery) { context in delivery.rule.body?.render(context) ?? "" }
    }

    @Test func `texts are templates, and a lone {{{field}}} keeps its type`() throws {
        let body = #"""
            {"text":"{{content.device}} \"{{task.name}}\"","tags":"{{{content.tags}}}","big":"{{{content.big}}}","n":7,"f":1.50,
             "list":[true,null,"{{{content.nothing}}}","{{content.big}}"],"task":"{{{task}}}","id":"{{{event.id}}}","{{x}}":"plain"}
            """#
        let expected = #"""
            {"text":"bob \"fire-alarm\"","tags":["a","b"],"big":12345678901234567890,"n":7,"f":1.5,"list":[true,null,null,\#
            "12345678901234567890"],"task":{"id":"t1","name":"fire-alarm"},"id":"e1","{{x}}":"plain"}
            """#
        #expect(try self.render(body) == expected)
    }

    @Test(arguments: ["\"", "\\", "\n\u{1}", "</script>", "{{x}}", "\u{2028}", "🚒‮"])
    func `an event cannot break the body`(hostile: String) throws {
        let event = Event.stub(json: "{\"content\":{\"device\":\(JSONText.string(hostile))}}")
        let delivery = try Delivery.stub(event, body: #"{"a":"x {{content.device}}","b":"{{{content.device}}}"}"#)
        let body = try MessageContext.with(delivery) { delivery.rule.body?.render($0) ?? "" }
        try JSONParser().parse(Bytes(body)) { json in
            #expect(json["a"]?.leaf.string == "x \(hostile)")
            #expect(json["b"]?.leaf.string == hostile)
        }
    }
}

@Suite struct PayloadTests {
    private func payload(
        _ format: PayloadFormat,
        _ json: String = TemplateTests.event
    ) throws -> (String, String, [String]) {
        let time = try #require(Timestamp("2026-03-29T01:30:00Z"))
        let event = Event.stub(id: "é 1", time: time, task: "t1", json: json)
        let made = try Payload(format).render(
            try Delivery.stub(event, title: "{{task.name}}", message: "hello\n{{content.device}}")
        )
        return (made.body.string, made.type, made.headers.map { "\($0.name): \($0.value)" })
    }

    @Test func `an event goes out as its source wrote it`() throws {
        let (body, type, headers) = try self.payload(.event)
        #expect(body == TemplateTests.event && type == "application/json" && headers == [])
    }

    @Test func `a message holds title, text, rule and the event`() throws {
        #expect(
            try self.payload(.message, "{\"a\": 1.0}").0
                == #"{"text":"hello\n","rule":"r","event":{"a": 1.0}}"#
        )
    }

    @Test func `text is one line`() throws {
        #expect(try self.payload(.text).0 == "fire-alarm: hello bob")
    }

    @Test func `CloudEvents come structured and binary`() throws {
        let (body, type, headers) = try self.payload(.cloudevents, "{\"content\":{\"type\":\"start\"}}")
        #expect(type == "application/cloudevents+json; charset=UTF-8" && headers == [])
        #expect(
            body == #"{"specversion":"1.0","id":"é 1","source":"/bellhop/relay","type":"bellhop.start","#
                + #""time":"2026-03-29T01:30:00.000000Z","subject":"t1","datacontenttype":"application/json","data":{"content":{"type":"start"}}}"#
        )
        let binary = try self.payload(.cloudeventsBinary)
        #expect(binary.0 == TemplateTests.event && binary.1 == "application/json")
        #expect(binary.2.contains("ce-id: %C3%A9%201") && binary.2.contains("ce-type: bellhop.acknowledged"))
        #expect(!binary.2.contains { $0.hasPrefix("ce-datacontenttype") })
    }
}

@Suite struct TextTests {
    @Test func `JSON strings hold any text`() throws {
        let text = "\u{0}\u{1F}\"\\/\u{7F}é😀\u{2028}\r\n\t"
        let back = try JSONParser().parse(Bytes(JSONText.string(text))) { $0.leaf.string }
        #expect(back == text)
    }

    @Test(arguments: [
        ("abc", 3, "abc"), ("abcd", 3, "ab…"), ("👨‍👩‍👧x", 1, "…"), ("👨‍👩‍👧👨‍👩‍👧x", 2, "👨‍👩‍👧…"), ("", 0, ""),
    ])
    func `texts are cut between characters`(text: String, limit: Int, cut: String) {
        #expect(Truncation.characters(text, limit) == cut)
    }

    @Test(arguments: ["aé😀", "👨‍👩‍👧👨‍👩‍👧", "\u{301}\u{301}", String(repeating: "x", count: 40)])
    func `every measure keeps its limit`(text: String) {
        for limit in 0...30 {
            #expect(Truncation.utf8(text, limit).utf8.count <= limit)
            #expect(Truncation.utf16(text, limit).utf16.count <= limit)
            #expect(Truncation.codePoints(text, limit).unicodeScalars.count <= limit)
            #expect(Truncation.characters(text, limit).count <= limit)
        }
        #expect(Truncation.utf8(text, 1000) == text)
    }

    @Test func `a cut leaves no half escape behind, and everything else`() {
        #expect(Markup.mendedEntities("a&lt;b&am…") == "a&lt;b…" && Markup.mendedEntities("a&lt;…") == "a&lt;…")
        #expect(
            Markup.mendedEntities("R&D: and so on…") == "R&D: and so on…" && Markup.mendedEntities("x & y…") == "x & y…"
        )
        #expect(Markup.mendedEntities("a&lt") == "a&lt")
        #expect(
            Markup.mendedBackslashes("a\\\\\\…") == "a\\\\…" && Markup.mendedBackslashes("a & b\\\\…") == "a & b\\\\…"
        )
    }

    @Test(arguments: [
        ("@all", "@\u{200B}all"), ("bob@example.com", "bob@example.com"), ("Ⓐ@channel", "Ⓐ@\u{200B}channel"),
        ("x @a@b", "x @\u{200B}a@b"),
    ])
    func `an at sign mentions nobody`(text: String, harmless: String) {
        #expect(Markup.withoutMentions(text) == harmless)
    }

    @Test func `JSON of any depth is written without a deep stack`() async throws {
        let deep = String(repeating: "[", count: 1000) + String(repeating: "]", count: 1000)
        let text = "{\"a\":\(deep),\"b\":[{},[],\"é\\u0001\",1.5,-0,true,null]}"
        // The stack of a thread that sends; a frame for each level would go beyond it.
        let written = await withCheckedContinuation { continuation in
            let thread = Thread {
                continuation.resume(returning: try? JSONParser().parse(Bytes(text)) { $0.json })
            }
            thread.stackSize = 128 * 1024
            thread.start()
        }
        #expect(written == "{\"a\":\(deep),\"b\":[{},[],\"é\\u0001\",1.5,0,true,null]}")
    }
}
