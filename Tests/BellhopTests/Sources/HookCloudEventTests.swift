import BellhopCore
import BellhopTesting
import Testing

@testable import Bellhop

@Suite(.timeLimit(.minutes(4))) struct HookCloudEventTests {
    private let hooks = HookBench()

    private static let structured =
        #"{"specversion":"1.0","id":"A1","source":"/s/1","type":"com.example.fire","time":"2026-11-21T03:00:00Z","subject":"room 7","data":{"x":1}}"#

    @Test func `the three forms of a CloudEvent come to the same`() async throws {
        try await self.hooks.serve { listener in
            let single = [(name: "content-type", value: "Application/CloudEvents+json; charset=UTF-8")]
            #expect(await listener.send(to: "/hooks", Self.structured, headers: single)?.status == 202)
            let batch = [(name: "content-type", value: "application/cloudevents-batch+json"), ("webhook-id", "m1")]
            let second = Self.structured.replacing("A1", with: "A2")
            #expect(await listener.send(to: "/hooks", "[\(second)]", headers: batch)?.status == 202)
            #expect(await listener.send(to: "/hooks", "[]", headers: batch)?.status == 202)
            #expect(await listener.send(to: "/hooks", second, headers: batch)?.status == 400)
            let binary = [
                (name: "content-type", value: "application/json"), ("ce-specversion", "1.0"), ("ce-id", "A3"),
                ("ce-source", "/s/1"), ("ce-type", "com.example.fire"), ("ce-time", "2026-11-21T03:00:00Z"),
                ("ce-subject", "room%207"), ("ce-data", "no"), ("ce-datacontenttype", "no"),
            ]
            #expect(await listener.send(to: "/hooks", "{\"x\":1}", headers: binary)?.status == 202)
        }
        #expect(self.hooks.ids == ["/s/1 A1", "/s/1 A2", "/s/1 A3"])
        for event in self.hooks.bench.events {
            #expect(event.kind == "com.example.fire" && event.task == "room 7")
            #expect(event.time == Timestamp("2026-11-21T03:00:00Z"))
            let fields = try JSONParser().parse(event.data) { json in
                [json["subject"], json["data"]?["x"], json["type"]].map { $0?.leaf.text }
            }
            #expect(fields == ["room 7", "1", "com.example.fire"])
        }
        #expect(
            self.hooks.bench.events[2].data.string.contains(#""datacontenttype":"application/json","data":{"x":1}}"#)
        )
    }

    @Test(arguments: [
        ("text/plain", "h\u{e4}llo \"x\"", #""data":"hällo \"x\""}"#),
        ("application/json", "", "\"application/json\"}"),
        ("image/png", "\u{0}", "\"data\":\"\\u0000\"}"),
    ]) func `data of a binary CloudEvent need not be JSON`(type: String, body: String, expected: String) async throws {
        try await self.hooks.serve { listener in
            let headers = [
                (name: "content-type", value: type), ("ce-specversion", "1.0"), ("ce-id", "A3"), ("ce-source", "/s/1"),
                ("ce-type", "%E2%82%AC \"q\""),
            ]
            #expect(await listener.send(to: "/hooks", body, headers: headers)?.status == 202)
        }
        let text = self.hooks.bench.events.first?.data.string ?? ""
        #expect(text.hasSuffix(expected), "\(text)")
        #expect(self.hooks.bench.events.first?.kind == "€ \"q\"")
    }

    @Test(arguments: [#"1,"id":"forged","type":"t.forged""#, #"1,"x":2"#, "{", "1}"])
    func `the body of a binary CloudEvent brings no attributes along`(body: String) async throws {
        let headers = [
            (name: "content-type", value: "application/json"), ("ce-specversion", "1.0"), ("ce-id", "A3"),
            ("ce-source", "/s/1"), ("ce-type", "t"),
        ]
        let answer = try await self.hooks.serve { await $0.send(to: "/hooks", body, headers: headers) }
        #expect(answer?.status == 400 && self.hooks.ids == [])
    }

    @Test func `bytes that are no text become data_base64`() {
        let request = InboundRequest(method: "POST", headers: [("ce-id", "1")]) {
            () async throws(InboundAnswer) -> Bytes in Bytes()
        }
        let bytes: [UInt8] = [0xFF, 0x00, 0x7F]
        let data = bytes.withUnsafeBytes { Bytes(copying: $0) }
        let text = try? InboundCloudEvent.structured(request, MediaType("image/png"), data: data).string
        #expect(text == #"{"id":"1","data_base64":"/wB/"}"#)
    }

    @Test func `a CloudEvent without what it must have is refused`() async throws {
        let headers = [(name: "content-type", value: "application/cloudevents+json")]
        for (name, wrong) in [
            ("\"id\":\"A1\"", "\"id\":\"\""), ("\"source\":\"/s/1\"", "\"source\":\"a b\""),
            ("\"specversion\":\"1.0\"", "\"specversion\":\"0.3\""), ("\"type\":", "\"typ\":"),
        ] {
            let answer = try await self.hooks.serve {
                await $0.send(to: "/hooks", Self.structured.replacing(name, with: wrong), headers: headers)
            }
            #expect(answer?.status == 400, "\(wrong)")
        }
        let binary = [
            (name: "content-type", value: "application/json"), ("ce-specversion", "1.0"), ("ce-id", "%C0%A0"),
            ("ce-source", "/s/1"), ("ce-type", "t"),
        ]
        let answer = try await self.hooks.serve { await $0.send(to: "/hooks", "{}", headers: binary) }
        #expect(answer?.status == 400 && answer?.body.contains("ce-id") == true)
        #expect(self.hooks.ids == [] && self.hooks.bench.rejected.count == 5)
    }

    @Test func `a sender that asks first is told that it may send, and how often`() async throws {
        func ask(_ options: String, _ origin: String?) async throws -> [String: String] {
            let headers = origin.map { [(name: "webhook-request-origin", value: $0)] } ?? []
            let answer = try await self.hooks.serve(options) {
                await $0.send("OPTIONS", to: "/hooks", "", headers: headers)
            }
            #expect(answer?.status == 200)
            return Dictionary(uniqueKeysWithValues: (answer?.headers ?? []).map { ($0.name, $0.value) })
        }
        let any = try await ask("", "a.example.com")
        #expect(any["webhook-allowed-origin"] == "a.example.com" && any["webhook-allowed-rate"] == "*")
        #expect(try await ask("", nil)["webhook-allowed-origin"] == nil)
        let some = #","allowed_origins":["b.example.com"],"rate_limit":"2/s""#
        #expect(try await ask(some, "a.example.com")["webhook-allowed-origin"] == nil)
        #expect(try await ask(some, "B.example.com")["webhook-allowed-rate"] == "120")
    }
}
