import BellhopCore
import Glibc
import NIOCore
import NIOHTTP1
import NIOPosix

/// A request that a simulated server got.
package struct SimulatedRequest: Sendable {
    package let method: String
    /// Without the query.
    package let path: String
    package let query: [String: String]
    package let headers: [(name: String, value: String)]
    package let body: [UInt8]

    package func header(_ name: String) -> String? {
        self.headers.first { $0.name.lowercased() == name.lowercased() }?.value
    }
}

/// What a simulated server does with a request; all that real ones do, the bad things too.
package struct SimulatedAnswer: Sendable {
    package enum Fault: Sendable, Hashable {
        /// The whole length is announced, half of the body comes, then the connection closes.
        case cutShort
        /// The connection is reset instead of an answer.
        case reset
        /// No answer ever comes.
        case silence
        /// The first bytes of the head come, then nothing.
        case halfHead
        /// Half of the body comes, then nothing.
        case stall
    }

    package var status: Int
    package var headers: [(name: String, value: String)]
    package var body: [UInt8]
    package var delay: Duration
    package var fault: Fault?

    package init(
        status: Int = 200,
        headers: [(name: String, value: String)] = [],
        body: String = "",
        delay: Duration = .zero,
        fault: Fault? = nil
    ) {
        self.init(status: status, headers: headers, bytes: Array(body.utf8), delay: delay, fault: fault)
    }

    package init(
        status: Int = 200,
        headers: [(name: String, value: String)] = [],
        bytes: [UInt8],
        delay: Duration = .zero,
        fault: Fault? = nil
    ) {
        self.status = status
        self.headers = headers
        self.body = bytes
        self.delay = delay
        self.fault = fault
    }
}

/// An HTTP/1.1 server on loopback, for simulators. On NIO itself, because half answers and resets are part of the job.
package struct SimulatedServer: Sendable {
    package let port: Int
    private let channel: any NIOCore.Channel
    private let group: MultiThreadedEventLoopGroup

    package var url: String { "http://127.0.0.1:\(self.port)" }

    /// - `port`: 0 for a free one.
    /// - `resets`: asked when a request's head has come, with its path: true resets the connection before its body is read.
    /// - `answer`: called on the server's thread; must not block.
    package init(
        port: Int = 0,
        resets: (@Sendable (String) -> Bool)? = nil,
        answer: @escaping @Sendable (SimulatedRequest) -> SimulatedAnswer
    ) async throws {
        self.group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        self.channel = try await ServerBootstrap(group: self.group)
            .serverChannelOption(.backlog, value: 1024)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline(withErrorHandling: true)
                    try channel.pipeline.syncOperations.addHandler(RequestHandler(resets, answer))
                }
            }
            .bind(host: "127.0.0.1", port: port)
            .get()
        self.port = self.channel.localAddress?.port ?? 0
    }

    package func close() async {
        try? await self.channel.close().get()
        try? await self.group.shutdownGracefully()
    }
}

/// Collects one request and plays its answer.
// Belongs to its channel's event loop.
private final class RequestHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private static let bodyLimit = 64 * 1024 * 1024

    private let resets: (@Sendable (String) -> Bool)?
    private let answer: @Sendable (SimulatedRequest) -> SimulatedAnswer
    private var head: HTTPRequestHead?
    private var body: [UInt8] = []

    init(
        _ resets: (@Sendable (String) -> Bool)?,
        _ answer: @escaping @Sendable (SimulatedRequest) -> SimulatedAnswer
    ) {
        self.resets = resets
        self.answer = answer
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch self.unwrapInboundIn(data) {
        case .head(let head):
            if let resets = self.resets, resets(head.uri) { return self.reset(context) }
            self.head = head
            self.body.removeAll(keepingCapacity: true)
        case .body(let buffer):
            guard self.body.count + buffer.readableBytes <= RequestHandler.bodyLimit else {
                return context.close(promise: nil)
            }
            self.body.append(contentsOf: buffer.readableBytesView)
        case .end:
            guard let head = self.head else { return }
            self.head = nil
            self.play(self.answer(self.request(head)), keepAlive: head.isKeepAlive, context)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    private func reset(_ context: ChannelHandlerContext) {
        // A linger of zero makes the kernel send RST instead of FIN.
        let reset = (context.channel as? any SocketOptionProvider)?.setSoLinger(linger(l_onoff: 1, l_linger: 0))
        let closing = NIOLoopBound(context, eventLoop: context.eventLoop)
        reset?.whenComplete { _ in closing.value.close(promise: nil) }
    }

    private func request(_ head: HTTPRequestHead) -> SimulatedRequest {
        let parts = head.uri.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        var query: [String: String] = [:]
        for pair in (parts.count > 1 ? parts[1] : "").split(separator: "&") {
            let words = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            query[String(words[0])] = words.count > 1 ? String(words[1]).replacing("+", with: " ").percentDecoded : ""
        }
        return SimulatedRequest(
            method: head.method.rawValue,
            path: String(parts[0]),
            query: query,
            headers: head.headers.map { ($0.name, $0.value) },
            body: self.body
        )
    }

    private func play(_ answer: SimulatedAnswer, keepAlive: Bool, _ context: ChannelHandlerContext) {
        guard answer.delay > .zero else { return self.send(answer, keepAlive: keepAlive, context) }
        let loopBound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        let delay = TimeAmount.nanoseconds(Int64(answer.delay / .nanoseconds(1)))
        context.eventLoop.scheduleTask(in: delay) {
            let (handler, context) = loopBound.value
            if context.channel.isActive { handler.send(answer, keepAlive: keepAlive, context) }
        }
    }

    private func send(_ answer: SimulatedAnswer, keepAlive: Bool, _ context: ChannelHandlerContext) {
        switch answer.fault {
        case .silence: return
        case .reset: return self.reset(context)
        case .halfHead:
            // Past the encoder, which knows whole heads only.
            let encoder = try? context.pipeline.syncOperations.context(handlerType: HTTPResponseEncoder.self)
            encoder?.writeAndFlush(
                NIOAny(context.channel.allocator.buffer(string: "HTTP/1.1 200 OK\r\nContent-")),
                promise: nil
            )
            return
        case .cutShort, .stall, nil: break
        }
        var headers = HTTPHeaders(answer.headers.map { ($0.name, $0.value) })
        if answer.status != 204 { headers.replaceOrAdd(name: "content-length", value: "\(answer.body.count)") }
        if !keepAlive { headers.replaceOrAdd(name: "connection", value: "close") }
        let head = HTTPResponseHead(version: .http1_1, status: .init(statusCode: answer.status), headers: headers)
        context.write(self.wrapOutboundOut(.head(head)), promise: nil)
        let isCut = answer.fault != nil
        let bytes = isCut ? answer.body.prefix(answer.body.count / 2) : answer.body[...]
        if !bytes.isEmpty {
            context.write(
                self.wrapOutboundOut(.body(.byteBuffer(context.channel.allocator.buffer(bytes: bytes)))),
                promise: nil
            )
        }
        if isCut {
            context.flush()
            if answer.fault == .cutShort { context.close(promise: nil) }
            return
        }
        context.writeAndFlush(self.wrapOutboundOut(.end(nil)), promise: nil)
        if !keepAlive { context.close(promise: nil) }
    }
}
