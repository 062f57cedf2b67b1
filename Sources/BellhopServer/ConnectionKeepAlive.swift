import NIOCore
import NIOHTTP1
import NIOHTTPTypesHTTP1

/// What the version and the Connection header say about the connection, and `Expect: 100-continue`: behind the codec of
/// swift-http-types nobody can see it (RFC 9112 §9.3, RFC 9110 §10.1.1).
final class ConnectionKeepAlive: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart
    typealias OutboundIn = HTTPServerResponsePart
    typealias OutboundOut = HTTPServerResponsePart

    /// Requests that have come and are not answered.
    private var open = 0
    /// The last request that has come is the last there is.
    private var isLast = false

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if case .head(let head) = self.unwrapInboundIn(data) {
            // What follows the last request is none.
            guard !self.isLast else { return }
            self.isLast = !head.isKeepAlive
            let isExpecting = head.headers[canonicalForm: "expect"].contains { $0.lowercased() == "100-continue" }
            if isExpecting, self.open == 0, head.version == .http1_1 {
                let answer = HTTPResponseHead(version: .http1_1, status: .continue)
                context.writeAndFlush(self.wrapOutboundOut(.head(answer)), promise: nil)
            }
            self.open += 1
        }
        context.fireChannelRead(data)
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        guard case .end = self.unwrapOutboundIn(data) else { return context.write(data, promise: promise) }
        self.open -= 1
        guard self.isLast, self.open == 0 else { return context.write(data, promise: promise) }
        context.writeAndFlush(data, promise: promise)
        context.close(mode: .output, promise: nil)
    }
}

extension ChannelPipeline.SynchronousOperations {
    /// Adds it in front of the codec, where requests still have a version.
    func addKeepAlive() throws {
        let codec = try self.handler(type: HTTP1ToHTTPServerCodec.self)
        try self.addHandler(ConnectionKeepAlive(), position: .before(codec))
    }
}
