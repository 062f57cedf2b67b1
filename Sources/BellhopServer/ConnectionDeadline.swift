import HTTPTypes
import NIOCore
import NIOHTTPTypes

/// Closes connections of clients that take too long for a header, a body, or the next request; a byte now and then is not
/// enough to stay.
final class ConnectionDeadline: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    private let limits: ListenerLimits
    private var deadline: NIODeadline = .distantFuture
    private var ticking: RepeatedTask?
    /// Requests whose answer has not been written to its end.
    private var open = 0
    private var isReadingBody = false

    init(_ limits: ListenerLimits) {
        self.limits = limits
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.expect(self.limits.head)
        let tick = TimeAmount(self.limits.tick)
        let loopBound = NIOLoopBound((handler: self, context: context), eventLoop: context.eventLoop)
        // One timer that looks now and then, instead of one set anew for each request.
        self.ticking = context.eventLoop.scheduleRepeatedTask(initialDelay: tick, delay: tick) { _ in
            let (handler, context) = loopBound.value
            if NIODeadline.now() >= handler.deadline { context.close(promise: nil) }
        }
    }

    func handlerRemoved(context: ChannelHandlerContext) { self.ticking?.cancel() }

    func channelInactive(context: ChannelHandlerContext) {
        self.ticking?.cancel()
        context.fireChannelInactive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch self.unwrapInboundIn(data) {
        case .head:
            self.open += 1
            self.isReadingBody = true
            self.expect(self.limits.body)
        case .body: break
        case .end:
            self.isReadingBody = false
            self.expect(self.open > 0 ? self.limits.answer : self.limits.idle)
        }
        context.fireChannelRead(data)
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        if case .end = self.unwrapOutboundIn(data) {
            self.open -= 1
            // An answer may come before the body's end (413): the body's time goes on.
            if !self.isReadingBody { self.expect(self.open > 0 ? self.limits.answer : self.limits.idle) }
        }
        context.write(data, promise: promise)
    }

    private func expect(_ time: Duration) { self.deadline = .now() + TimeAmount(time) }
}
