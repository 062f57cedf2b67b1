import BellhopCore
import CCurl

/// One request under way, with everything libcurl points into and does not copy: body, header list, error text.
// @unchecked: belongs to the loop thread once it is handed over under its lock; until then to the task that made it.
final class Transfer: @unchecked Sendable {
    var host: String { self.request.host }
    var continuation: CheckedContinuation<Result<HTTPResponse, HTTPError>, Never>?
    var isCancelled = false
    private(set) var easy: OpaquePointer?

    private let request: HTTPRequest
    private let userAgent: String
    private let gate: AddressGate
    private var headerList: HeaderList?
    private let errorText = UnsafeMutablePointer<CChar>.allocate(capacity: Int(CURL_ERROR_SIZE))
    private var head: [UInt8] = []
    private var answer = BytesBuilder()
    private var isTooLarge = false
    private var sends = 0
    /// An address that the guard refused, and by which rule; and whether there was one that it did not.
    private var refused: (address: String, rule: String)?
    private var isAdmitted = false

    /// Bytes of an answer's header; a server that sends headers without end must not fill the memory.
    private static let headerLimit = 64 * 1024

    /// The receiver may have seen something of it.
    var hasLeft: Bool { self.sends > 0 }

    init(_ request: HTTPRequest, userAgent: String, gate: AddressGate) {
        self.request = request
        self.gate = gate
        self.userAgent = userAgent
        self.errorText[0] = 0
    }

    deinit {
        self.headerList?.deallocate()
        self.errorText.deallocate()
    }

    func finish(_ result: Result<HTTPResponse, HTTPError>) {
        self.easy = nil
        self.continuation?.resume(returning: result)
        self.continuation = nil
    }

    /// Sets every option; facts and reasons in docs/architecture.md, "libcurl".
    func prepare(_ easy: OpaquePointer) {
        self.easy = easy
        let this = Unmanaged.passUnretained(self).toOpaque()
        bh_easy_set_pointer(easy, CURLOPT_PRIVATE, this)
        bh_easy_set_string(easy, CURLOPT_URL, self.request.url.reveal())
        bh_easy_set_string(easy, CURLOPT_PROTOCOLS_STR, "http,https")
        self.prepareRoute(easy)
        bh_easy_set_string(easy, CURLOPT_USERAGENT, self.userAgent)
        bh_easy_set_long(easy, CURLOPT_FOLLOWLOCATION, 0)
        bh_easy_set_long(easy, CURLOPT_NOSIGNAL, 1)
        // Else a name server that does not answer holds this thread until the resolver gives up by itself.
        bh_easy_set_long(easy, CURLOPT_QUICK_EXIT, 1)
        bh_easy_set_long(easy, CURLOPT_DISALLOW_USERNAME_IN_URL, 1)
        bh_easy_set_long(easy, CURLOPT_HTTP_VERSION, Int(CURL_HTTP_VERSION_1_1))
        bh_easy_set_long(easy, CURLOPT_TIMEOUT_MS, Int(self.request.timeout.milliseconds))
        bh_easy_set_long(easy, CURLOPT_CONNECTTIMEOUT_MS, Int(self.request.connectTimeout.milliseconds))
        bh_easy_set_long(easy, CURLOPT_MAXLIFETIME_CONN, 300)
        bh_easy_set_pointer(easy, CURLOPT_ERRORBUFFER, self.errorText)
        if self.request.acceptsGzip { bh_easy_set_string(easy, CURLOPT_ACCEPT_ENCODING, "gzip, deflate") }
        if self.request.method == .post {
            let body = self.request.body ?? Bytes()
            bh_easy_set_long(easy, CURLOPT_POST, 1)
            bh_easy_set_offset(easy, CURLOPT_POSTFIELDSIZE_LARGE, Int64(body.count))
            bh_easy_set_pointer(easy, CURLOPT_POSTFIELDS, body.unsafeStart)
        }
        let list = HeaderList(self.request.headers, isPost: self.request.method == .post)
        self.headerList = list
        bh_easy_set_headers(easy, list.first)
        bh_easy_set_writer(
            easy,
            { bytes, size, count, context in
                Transfer.from(context)?.take(UnsafeRawBufferPointer(start: bytes, count: size * count)) ?? 0
            },
            this
        )
        bh_easy_set_header_reader(
            easy,
            { bytes, size, count, context in
                Transfer.from(context)?.takeHeader(UnsafeRawBufferPointer(start: bytes, count: size * count)) ?? 0
            },
            this
        )
        bh_easy_set_prereq(
            easy,
            { context, remote, _, _, _ in
                guard let transfer = Transfer.from(context), let remote, transfer.admits(remote) else {
                    return CURL_PREREQFUNC_ABORT
                }
                return transfer.mayBeSent() ? CURL_PREREQFUNC_OK : CURL_PREREQFUNC_ABORT
            },
            this
        )
        bh_easy_set_opensocket(
            easy,
            { context, _, address in
                guard let address, let transfer = Transfer.from(context) else { return CURL_SOCKET_BAD }
                var count = 0
                let bytes = bh_address_bytes(address, &count)
                let ip = bytes.flatMap { IPAddress(bytes: Array(UnsafeBufferPointer(start: $0, count: count))) }
                return transfer.admits(ip) ? bh_open_socket(address) : CURL_SOCKET_BAD
            },
            this
        )
    }

    private func prepareRoute(_ easy: OpaquePointer) {
        let route = self.request.route
        switch route.proxy {
        case .none: bh_easy_set_string(easy, CURLOPT_PROXY, "")
        case .environment: break
        case .url(let url):
            bh_easy_set_string(easy, CURLOPT_PROXY, url.reveal())
            // Or NO_PROXY of the environment would have its say.
            bh_easy_set_string(easy, CURLOPT_NOPROXY, "")
        }
        let version = route.minimumTLS == .v1_3 ? CURL_SSLVERSION_TLSv1_3 : CURL_SSLVERSION_TLSv1_2
        bh_easy_set_long(easy, CURLOPT_SSLVERSION, Int(version))
        if let file = route.caFile {
            bh_easy_set_string(easy, CURLOPT_CAINFO, file)
            bh_easy_set_string(easy, CURLOPT_CAPATH, nil)
        }
        if let file = route.clientCertificate {
            bh_easy_set_string(easy, CURLOPT_SSLCERT, file)
            bh_easy_set_string(easy, CURLOPT_SSLKEY, route.clientKey ?? file)
        }
        if route.isFresh {
            bh_easy_set_long(easy, CURLOPT_FRESH_CONNECT, 1)
            bh_easy_set_long(easy, CURLOPT_FORBID_REUSE, 1)
        }
    }

    func result(_ code: CURLcode, _ easy: OpaquePointer) -> Result<HTTPResponse, HTTPError> {
        let hasLeft = self.hasLeft
        if let refused = self.refused, !self.isAdmitted {
            return .failure(.refused(host: self.host, address: refused.address, rule: refused.rule))
        }
        switch code {
        case CURLE_OK:
            var body = BytesBuilder()
            swap(&body, &self.answer)
            return .success(HTTPResponse(status: bh_easy_status(easy), head: self.head, body: body.build()))
        case CURLE_URL_MALFORMAT, CURLE_UNSUPPORTED_PROTOCOL, CURLE_LOGIN_DENIED: return .failure(.badURL)
        case CURLE_COULDNT_RESOLVE_HOST: return .failure(.resolve(host: self.host))
        case CURLE_OPERATION_TIMEDOUT:
            // Before it left it was the connection that took too long.
            let limit = hasLeft ? self.request.timeout : min(self.request.timeout, self.request.connectTimeout)
            return .failure(.timeout(host: self.host, after: limit, sent: hasLeft))
        case CURLE_SSL_CONNECT_ERROR, CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CACERT_BADFILE, CURLE_SSL_CERTPROBLEM:
            return .failure(.tls(host: self.host, reason: self.reason(code)))
        case CURLE_WRITE_ERROR where self.isTooLarge:
            return .failure(.answerTooLarge(host: self.host, limit: self.request.answerLimit))
        case CURLE_ABORTED_BY_CALLBACK:
            return .failure(.noAnswer(host: self.host, reason: "the kept-alive connection broke"))
        default:
            return .failure(
                hasLeft
                    ? .noAnswer(host: self.host, reason: self.reason(code))
                    : .connect(host: self.host, reason: self.reason(code))
            )
        }
    }

    /// libcurl's own sentence, which names the host but may also hold the URL: that is cut out.
    private func reason(_ code: CURLcode) -> String {
        let text = String(cString: self.errorText)
        // Of a proxy that cannot be used the sentence holds its URL, cut somewhere.
        let isVague = text.isEmpty || code == CURLE_COULDNT_RESOLVE_PROXY
        let reason = isVague ? String(cString: curl_easy_strerror(code)) : text
        return reason.replacing(self.request.url.reveal(), with: "<url>")
    }

    private func take(_ bytes: UnsafeRawBufferPointer) -> Int {
        guard self.answer.count + bytes.count <= self.request.answerLimit else {
            if self.request.method == .post {
                // Its status says what became of the event; the rest of a long page is of no use.
                let room = max(0, self.request.answerLimit - self.answer.count)
                self.answer.append(UnsafeRawBufferPointer(rebasing: bytes.prefix(room)))
                return bytes.count
            }
            self.isTooLarge = true
            return 0
        }
        self.answer.append(bytes)
        return bytes.count
    }

    private func takeHeader(_ bytes: UnsafeRawBufferPointer) -> Int {
        guard self.head.count + bytes.count <= Transfer.headerLimit else { return 0 }
        // Each line comes by itself; a status line begins another head, as after `100 Continue`.
        if bytes.starts(with: "HTTP/".utf8) { self.head.removeAll(keepingCapacity: true) }
        if self.head.isEmpty { self.head.reserveCapacity(512) }
        self.head.append(contentsOf: bytes)
        return bytes.count
    }

    /// When a kept-alive connection turns out dead, libcurl sends the request again by itself, up to five times, also
    /// when the receiver may have read it (lib/transfer.c, Curl_retry_request). A POST goes out once per attempt.
    private func mayBeSent() -> Bool {
        self.sends += 1
        return self.sends == 1 || self.request.method == .get
    }

    /// Asked for each address that a connection would be made to; through a proxy it is the proxy's.
    private func admits(_ address: IPAddress?) -> Bool {
        if let refusal = self.gate.refusal(of: address) {
            self.refused = refusal
            return false
        }
        // libcurl goes on to a name's other addresses after one that was refused.
        self.isAdmitted = true
        return true
    }

    /// Asked again when a connection is used again.
    private func admits(_ remote: UnsafePointer<CChar>) -> Bool {
        self.gate.isLastAdmitted(remote) || self.admits(IPAddress(String(cString: remote)))
    }

    private static func from(_ context: UnsafeMutableRawPointer?) -> Transfer? {
        context.map { Unmanaged<Transfer>.fromOpaque($0).takeUnretainedValue() }
    }
}
