import BellhopCore
import Crypto
import Foundation

/// What all sinks that post over HTTP have in common: their options, and what an answer's status means.
struct HTTPPost: Sendable {
    /// The options, for each sink's reference.
    static let reference = """
        timeout: 15s            # for one attempt
        connect_timeout: 5s
        concurrency: 16         # attempts at once
        ordered: task           # task: in order per alert; sink: strictly; none
        headers: {}             # sent along; values may be ${SECRETS}
        retry: { base: 1s, cap: 10m, give_up_after: 24h }
        """

    let host: String
    let policy: DispatchPolicy
    private let url: Secret
    private let headers: [HTTPHeader]
    private let timeout: Duration
    private let connectTimeout: Duration
    private let context: ComponentContext

    init(_ options: OptionReader, url what: String, context: ComponentContext) {
        self.context = context
        self.url = options.requiredSecret("url", what)
        self.timeout = options.duration("timeout", default: .seconds(15), in: .milliseconds(100)...(.seconds(600)))
        self.connectTimeout = options.duration(
            "connect_timeout",
            default: .seconds(5),
            in: .milliseconds(100)...(.seconds(120))
        )
        self.policy = DispatchPolicy(
            order: options.choice("ordered", default: .task),
            concurrency: options.integer("concurrency", default: 16, in: 1...1000),
            retry: RetryPolicy(options.nested("retry"))
        )
        var headers: [HTTPHeader] = []
        for (name, value, place) in options.strings("headers") {
            if let problem = HTTPHeader.problem(name: name, value: value) ?? HTTPPost.reserved(name) {
                options.diagnostics.error("\(problem) (\(options.owner))", at: place)
            }
            headers.append(HTTPHeader(name, value))
        }
        self.headers = headers
        var host = "?"
        if !self.url.isEmpty {
            do {
                host = try HTTPURL(self.url.reveal()).host
            } catch {
                options.diagnostics.error("'url': \(error) (\(options.owner))", at: options.place(of: "url"))
            }
        }
        self.host = host
    }

    /// Posts the body; the answer, or why there is none that counts.
    func send(_ body: Bytes, type: String, for delivery: Delivery) async throws(DeliveryError) -> HTTPResponse {
        let now = self.context.clock.now()
        let request = HTTPRequest(
            method: .post,
            url: self.url,
            headers: self.headers + [
                HTTPHeader("Content-Type", type),
                HTTPHeader("webhook-id", HTTPPost.identity(of: delivery)),
                HTTPHeader("webhook-timestamp", "\(now.seconds)"),
            ],
            body: body,
            timeout: self.timeout,
            connectTimeout: self.connectTimeout
        )
        let response: HTTPResponse
        do {
            response = try await self.context.http.send(request)
        } catch {
            throw self.classify(error)
        }
        return try self.classify(response)
    }

    /// Stays the same over attempts, restarts and even a lost spool, so that a receiver can tell a repeat (Standard
    /// Webhooks, "webhook-id").
    static func identity(of delivery: Delivery) -> String {
        var hash = SHA256()
        for part in [delivery.event.source, delivery.event.id, delivery.rule.name, delivery.sink] {
            hash.update(data: Data(part.utf8))
            hash.update(data: [0])
        }
        let hex = Array("0123456789abcdef".utf8)
        let digits = hash.finalize().prefix(16).flatMap { [hex[Int($0 >> 4)], hex[Int($0 & 15)]] }
        return "msg_" + String(decoding: digits, as: UTF8.self)
    }

    private static func reserved(_ name: String) -> String? {
        let own: Set<String> = [
            "host", "connection", "content-length", "content-type", "transfer-encoding", "expect", "user-agent",
        ]
        let name = name.lowercased()
        return own.contains(name) || name.hasPrefix("webhook-") ? "the header '\(name)' is Bellhop's own" : nil
    }

    private func classify(_ error: HTTPError) -> DeliveryError {
        switch error {
        case .cancelled: .cancelled
        case .badURL: .permanent(reason: "\(error)")
        case .answerTooLarge: .permanent(reason: "\(error)")
        case .resolve, .connect, .tls, .timeout, .noAnswer: .transient(reason: "\(error)")
        }
    }

    private func classify(_ response: HTTPResponse) throws(DeliveryError) -> HTTPResponse {
        switch response.status {
        case 200...299: return response
        case 408, 425, 429, 500, 502, 503, 504, 520...529:
            let now = self.context.clock.now()
            let after = response.header("retry-after").flatMap { RetryAfter.parse($0, now: now) }
            throw .transient(reason: self.reason(response), after: after)
        case 506...599 where response.status != 510:
            throw .transient(reason: self.reason(response))
        default:
            throw .permanent(reason: self.reason(response))
        }
    }

    /// `HTTP 404 from hooks.example.org: no such hook`; the start of the body, without what error pages repeat of the request.
    func reason(_ response: HTTPResponse) -> String {
        let start = response.body[0..<min(response.body.count, 4096)].string
        let redacted = self.redact(start)
        let line = redacted.split(whereSeparator: \.isNewline).first.map { String($0.prefix(200)).trimmingSpaces } ?? ""
        let printable = String(
            String.UnicodeScalarView(line.unicodeScalars.filter { $0.value >= 32 && $0.value != 127 })
        )
        return "HTTP \(response.status) from \(self.host)" + (printable.isEmpty ? "" : ": \(printable)")
    }

    /// Hides the URL, the headers' values, and each word of either that may be a key.
    private func redact(_ text: String) -> String {
        let url = self.url.reveal()
        let path = url.firstRange(of: self.host).map { String(url[$0.upperBound...]) } ?? ""
        var secrets = [url, path] + self.headers.map { $0.value.reveal() }
        secrets += secrets.dropFirst().flatMap { $0.split { "/?&= ,;".contains($0) }.map(String.init) }
        var text = text
        // Long ones first, or a part would spoil the whole.
        for secret in Set(secrets).sorted(by: { $0.count > $1.count }) where secret.count > 3 {
            text = text.replacing(secret, with: "<secret>")
        }
        return text
    }
}

extension Result where Success == String, Failure == DeliveryError {
    /// The verdict of one attempt.
    init(catching body: () async throws(DeliveryError) -> String) async {
        do { self = .success(try await body()) } catch { self = .failure(error) }
    }
}
