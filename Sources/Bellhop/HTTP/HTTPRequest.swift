import BellhopCore

/// One request to one URL; redirects are never followed, TLS is always verified.
package struct HTTPRequest: Sendable {
    package enum Method: String, Sendable { case get = "GET", post = "POST" }

    package let method: Method
    /// The whole URL is a secret: chat services put their keys in its path or query.
    package let url: Secret
    /// The part of the URL that may be shown.
    package let host: String
    package let headers: [HTTPHeader]
    package let body: Bytes?
    /// For the whole exchange, from the resolver to the last byte.
    package let timeout: Duration
    package let connectTimeout: Duration
    /// An answer to GET beyond this is refused as it arrives, also after decompression; one to POST is cut.
    package let answerLimit: Int
    /// Asks for gzip and unpacks it. Only for services one polls: receivers have no business sending bombs.
    package let acceptsGzip: Bool
    package let route: HTTPRoute

    /// - `host`: of the URL, where the caller has it already; a URL without one is not sent.
    package init(
        method: Method,
        url: Secret,
        host: String? = nil,
        headers: [HTTPHeader],
        body: Bytes? = nil,
        timeout: Duration,
        connectTimeout: Duration = .seconds(10),
        answerLimit: Int = 64 * 1024,
        acceptsGzip: Bool = false,
        route: HTTPRoute = HTTPRoute()
    ) {
        self.method = method
        self.url = url
        self.host = host ?? (try? HTTPURL(url.reveal()).host) ?? ""
        self.headers = headers
        self.body = body
        self.timeout = timeout
        self.connectTimeout = connectTimeout
        self.answerLimit = answerLimit
        self.acceptsGzip = acceptsGzip
        self.route = route
    }
}

/// A header line; its value may hold a key, so only the name is ever printed.
package struct HTTPHeader: Sendable, Hashable, CustomStringConvertible {
    /// Bytes of a line; what common servers take at most (nginx, Apache: 8 KiB).
    package static let limit = 8000

    package let name: String
    package let value: Secret

    package init(_ name: String, _ value: String) {
        self.name = name
        self.value = Secret(value)
    }

    package var description: String { "\(self.name): <secret>" }

    private static let token = Set("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ".utf8)

    /// Nil when the header may be sent: RFC 9110 §5.5 allows no control characters, and a line break in a value would
    /// be a header of somebody else's making.
    package static func problem(name: String, value: String) -> String? {
        guard !name.isEmpty, name.utf8.allSatisfy(HTTPHeader.token.contains) else {
            return "'\(name)' is no header name; use letters, digits and hyphens"
        }
        guard HTTPHeader.isClean(value) else {
            return "the value of header '\(name)' holds a line break or another control character"
        }
        let isShort = name.utf8.count + value.utf8.count <= HTTPHeader.limit
        return isShort ? nil : "the header '\(name)' is longer than \(HTTPHeader.limit) bytes; few servers take that"
    }

    /// The last check, for each request: what was rendered can break no line.
    var isSendable: Bool { HTTPHeader.isClean(self.name) && HTTPHeader.isClean(self.value.reveal()) }

    private static func isClean(_ text: String) -> Bool {
        for byte in text.utf8 where byte < 32 && byte != 9 || byte == 127 { return false }
        return true
    }
}

package struct HTTPResponse: Sendable {
    package let status: Int
    package let body: Bytes
    /// The header lines as they came.
    private let head: [UInt8]

    init(status: Int, head: [UInt8], body: Bytes) {
        self.status = status
        self.head = head
        self.body = body
    }

    /// The last one of that name, without blanks around it.
    package func header(_ name: String) -> String? {
        let name = Array(name.lowercased().utf8)
        for line in self.head.split(separator: 10).reversed() {
            guard let colon = line.firstIndex(of: UInt8(ascii: ":")), colon - line.startIndex == name.count else {
                continue
            }
            let isNamed = zip(line, name).allSatisfy { byte, letter in
                byte == letter || (65...90).contains(byte) && byte | 0x20 == letter
            }
            guard isNamed else { continue }
            let value = line[(colon + 1)...].drop { $0 <= 32 }
            return String(decoding: value.reversed().drop { $0 <= 32 }.reversed(), as: UTF8.self)
        }
        return nil
    }
}

/// Why there is no whole answer.
package enum HTTPError: Error, Sendable, Hashable {
    case badURL
    /// A header that must not be sent; the text is ``HTTPHeader/problem(name:value:)``'s.
    case badHeader(String)
    case resolve(host: String)
    case connect(host: String, reason: String)
    /// The handshake failed, or the certificate is not to be trusted.
    case tls(host: String, reason: String)
    /// The network guard does not let anybody connect to where the name leads.
    case refused(host: String, address: String, rule: String)
    /// - `sent`: the request had left, whole or in part.
    case timeout(host: String, after: Duration, sent: Bool)
    /// The request left, whole or in part, and no whole answer came: the receiver may have acted on it.
    case noAnswer(host: String, reason: String)
    case answerTooLarge(host: String, limit: Int)
    /// - `sent`: the request had left, whole or in part.
    case cancelled(sent: Bool)
}

extension HTTPError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .badURL: "the URL is not valid"
        case .badHeader(let problem): problem
        case .resolve(let host): "the name \(host) does not resolve"
        case .connect(let host, let reason): "cannot connect to \(host): \(reason)"
        case .tls(let host, let reason): "TLS with \(host) failed: \(reason)"
        case .refused(let host, let address, let rule):
            "\(host) leads to \(address), which 'network' refuses (\(rule)); 'network.allow' makes exceptions"
        case .timeout(let host, let after, true): "\(host) did not answer within \(Quantity.format(after))"
        case .timeout(let host, let after, false): "cannot connect to \(host) within \(Quantity.format(after))"
        case .noAnswer(let host, let reason): "\(host) gave no whole answer: \(reason)"
        case .answerTooLarge(let host, let limit): "\(host) answered with more than \(limit) bytes"
        case .cancelled: "cancelled"
        }
    }
}
