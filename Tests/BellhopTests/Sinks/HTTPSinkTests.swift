import BellhopCore
import BellhopSimulator
import BellhopTesting
import Foundation
import Testing

@testable import Bellhop

@Suite(.timeLimit(.minutes(4))) struct HTTPSinkTests {
    private func post<SinkType: Sink>(
        _ type: SinkType.Type,
        _ answer: SimulatedAnswer,
        timeout: String = "5s"
    ) async throws -> Verdict {
        let server = try await SimulatedServer { _ in answer }
        let options = OptionReader.stub("{\"url\":\"\(server.url)/secret\",\"timeout\":\"\(timeout)\"}")
        let verdict = await type.init(name: "s", options: options, context: .stub()).deliver([Delivery].stubs(1...1))[0]
        await server.close()
        return verdict
    }

    @Test(arguments: [200, 201, 202, 204]) func `2xx is delivered`(status: Int) async throws {
        #expect(try await self.post(WebhookSink.self, SimulatedAnswer(status: status)) == .success("HTTP \(status)"))
    }

    @Test(arguments: [408, 425, 500, 502, 503, 504, 520, 529, 507, 599]) func `these are tried again`(
        status: Int
    ) async throws {
        let answer = SimulatedAnswer(status: status, headers: [("retry-after", "7")])
        let verdict = try await self.post(WebhookSink.self, answer)
        guard case .failure(.transient(let reason, after: .seconds(7))) = verdict else {
            Issue.record("\(verdict)")
            return
        }
        #expect(reason.contains("\(status)"))
    }

    @Test(
        arguments: [
            (["retry-after": "7"], "", .seconds(7)),
            (["retry-after": "Sun, 06 Nov 1994 08:49:37 GMT"], "", .zero),
            (
                ["retry-after": "1"], #"{"message":"You are being rate limited.","retry_after":64.57,"global":false}"#,
                .milliseconds(64_570)
            ),
            ([:], #"{"ok":false,"error_code":429,"parameters":{"retry_after":5}}"#, .seconds(5)),
            (["retry-after": "soon"], "not JSON", nil), ([:], "[1]", nil), ([:], #"{"retry_after":"x"}"#, nil),
            ([:], #"{"retry_after":-3}"#, .zero),
        ] as [([String: String], String, Duration?)]
    ) func `429 asks for a pause, in whichever form`(
        headers: [String: String],
        body: String,
        after: Duration?
    )
        async throws
    {
        let answer = SimulatedAnswer(status: 429, headers: headers.map { ($0, $1) }, body: body)
        let verdict = try await self.post(WebhookSink.self, answer)
        guard case .failure(.throttled(_, after)) = verdict else {
            Issue.record("\(verdict)")
            return
        }
    }

    @Test(arguments: [300, 301, 302, 304, 400, 401, 403, 404, 405, 413, 422, 451, 501, 505, 510]) func `these are not`(
        status: Int
    ) async throws {
        let verdict = try await self.post(
            WebhookSink.self,
            SimulatedAnswer(status: status, headers: [("location", "http://127.0.0.1:1")])
        )
        guard case .failure(.permanent) = verdict else {
            Issue.record("\(verdict)")
            return
        }
    }

    @Test func `410 is the end of a destination`() async throws {
        guard case .failure(.gone) = try await self.post(WebhookSink.self, SimulatedAnswer(status: 410)) else {
            Issue.record("not gone")
            return
        }
    }

    @Test(arguments: [SimulatedAnswer.Fault.reset, .cutShort, .silence])
    func `an answer that does not come whole leaves it open whether it was taken`(
        fault: SimulatedAnswer.Fault
    )
        async throws
    {
        let answer = SimulatedAnswer(body: "0123456789", fault: fault)
        let verdict = try await self.post(WebhookSink.self, answer, timeout: "300ms")
        guard case .failure(.unanswered) = verdict else {
            Issue.record("\(verdict)")
            return
        }
    }

    @Test(arguments: ["http://127.0.0.1:1/x", "http://nowhere.invalid/x", "https://127.0.0.1:1/"])
    func `who cannot be reached has got nothing`(url: String) async throws {
        let sink = WebhookSink(name: "s", options: .stub("{\"url\":\"\(url)\"}"), context: .stub())
        guard case .failure(.unreachable) = await sink.deliver([Delivery].stubs(1...1))[0] else {
            Issue.record("reached")
            return
        }
    }

    @Test func `a body beyond the limit is not sent`() async throws {
        let options = #"{"url":"http://127.0.0.1:1/","body_limit":"100B"}"#
        let sink = WebhookSink(name: "s", options: .stub(options), context: .stub())
        let long = [Delivery].stubs(1...1) { "{\"n\":\($0),\"x\":\"\(String(repeating: "y", count: 100))\"}" }
        guard case .failure(.unsendable(let reason)) = await sink.deliver(long)[0] else {
            Issue.record("sent")
            return
        }
        #expect(reason.contains("body_limit"))
    }

    @Test func `Slack must say ok`() async throws {
        #expect(try await self.post(ChatSink<Slack>.self, SimulatedAnswer(body: "ok")) == .success("HTTP 200"))
        let verdict = try await self.post(ChatSink<Slack>.self, SimulatedAnswer(body: "no_service"))
        guard case .failure(.permanent(let reason)) = verdict else {
            Issue.record("\(verdict)")
            return
        }
        #expect(reason.contains("no_service"))
    }

    @Test func `an answer that repeats the URL does not tell it`() async throws {
        let verdict = try await self.post(
            WebhookSink.self,
            SimulatedAnswer(status: 404, body: "<p>/secret not found\u{1B}[31m</p>\nmore")
        )
        guard case .failure(.permanent(let reason)) = verdict else {
            Issue.record("\(verdict)")
            return
        }
        #expect(!reason.contains("/secret") && reason.hasSuffix("<p><secret> not found[31m</p> more"))
    }

    @Test func `a long answer is judged by its status`() async throws {
        let page = String(repeating: "x", count: 300_000)
        #expect(try await self.post(WebhookSink.self, SimulatedAnswer(body: page)) == .success("HTTP 200"))
        let verdict = try await self.post(WebhookSink.self, SimulatedAnswer(status: 503, body: page))
        guard case .failure(.transient) = verdict else {
            Issue.record("\(verdict)")
            return
        }
    }

    @Test func `an answer that repeats a key out of a header does not tell it, wherever it is cut`() async throws {
        let server = try await SimulatedServer { _ in
            SimulatedAnswer(status: 401, body: String(repeating: ".", count: 190) + "invalid token sekret-token-42")
        }
        let options = OptionReader.stub(
            "{\"url\":\"\(server.url)/a/hook-key-7?sig=abcd1234\",\"headers\":{\"Authorization\":\"Bearer sekret-token-42\"}}"
        )
        let verdict = await WebhookSink(name: "s", options: options, context: .stub()).deliver([Delivery].stubs(1...1))[
            0
        ]
        #expect(!"\(verdict)".contains("sekret") && !"\(verdict)".contains("hook-key"))
        await server.close()
    }

    @Test func `a delivery has one identity over its attempts, and every delivery its own`() async throws {
        let receiver = ReceiverSimulator()
        let server = try await SimulatedServer { receiver.answer($0) }
        let options = "{\"url\":\"\(server.url)/x\",\"headers\":{\"Authorization\":\"Bearer t\"}}"
        let sink = WebhookSink(name: "s", options: .stub(options), context: .stub())
        _ = await sink.deliver([Delivery].stubs(1...2))
        _ = await WebhookSink(name: "s", options: .stub(options), context: .stub()).deliver([Delivery].stubs(1...1))
        #expect(receiver.ids.values.sorted() == [1, 2])
        #expect(receiver.receipts.map(\.body) == ["{\"n\":1}", "{\"n\":2}", "{\"n\":1}"])
        await server.close()
    }

    @Test(arguments: ["retry", "hold"])
    func `what a shutdown cuts off may have arrived, which matters where it is held`(
        policy: String
    ) async throws {
        let receiver = ReceiverSimulator()
        receiver.change { $0.fault = .silence }
        let server = try await SimulatedServer { receiver.answer($0) }
        let options = "{\"url\":\"\(server.url)\",\"on_unknown\":\"\(policy)\"}"
        let sink = WebhookSink(name: "s", options: .stub(options), context: .stub())
        let delivery = [Delivery].stubs(1...1)
        let attempt = Task { await sink.deliver(delivery)[0] }
        await receiver.waitForRequests(1)
        attempt.cancel()
        switch await attempt.value {
        case .failure(.cancelled): #expect(policy == "retry")
        case .failure(.unanswered): #expect(policy == "hold")
        case let verdict: Issue.record("\(verdict)")
        }
        await server.close()
    }

    @Test func `what is signed is what is sent`() async throws {
        let (requests, request) = AsyncStream<SimulatedRequest>.makeStream()
        let server = try await SimulatedServer { received in
            request.yield(received)
            return SimulatedAnswer()
        }
        let secrets = [
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsk_" + Data(repeating: 7, count: 32).base64EncodedString(),
        ]
        let options = "{\"url\":\"\(server.url)\",\"signing_secret\":[\"\(secrets[0])\",\"\(secrets[1])\"]}"
        let sink = WebhookSink(name: "s", options: .stub(options), context: .stub())
        _ = await sink.deliver([Delivery].stubs(1...1) { "{\"n\":\($0),\"é\":\"😀\"}" })
        request.finish()
        let signer = try WebhookSigner(.standardWebhooks, secrets: secrets.map { Secret($0) })
        for await received in requests {
            let expected = signer.headers(
                id: try #require(received.header("webhook-id")),
                timestamp: try #require(Int64(received.header("webhook-timestamp") ?? "")),
                body: Bytes(String(decoding: received.body, as: UTF8.self))
            )
            #expect(received.header("webhook-signature") == expected[0].value.reveal())
            #expect(received.header("webhook-signature")?.split(separator: " ").count == 2)
        }
        await server.close()
    }
}
