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

    /// An event for the pipeline: the service ends, who is still sending has ``ListenerLimits/linger``.
    struct Hurry: Sendable {}

    private let limits: ListenerLimits
    private var deadline: NIODeadline = .distantFuture
    private var ticking: RepeatedTask?
    /// Requests whose answer has not been written to its end.
    private var open = 0
    private var isReadingBody = false
    /// Bytes of a body that came after its answer, which nobody reads.
    private var wasted: Int?

    init(_ limits: ListenerLimits) {
        self.limits = limits
    }

    func handlerAdded(context: ChannelHandlerContext) {
        try? context.pipeline.syncOperations.addKeepAlive()
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

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard event is Hurry else { return context.fireUserInboundEventTriggered(event) }
        if self.isReadingBody { self.expect(self.limits.linger) }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch self.unwrapInboundIn(data) {
        case .head:
            self.open += 1
            self.isReadingBody = true
            self.wasted = nil
            self.expect(self.limits.body)
        case .body(let part):
            if let wasted {
                self.wasted = wasted + part.readableBytes
                guard wasted < self.limits.wasted else { return context.close(promise: nil) }
            }
        case .end:
            self.isReadingBody = false
            self.expect(self.open > 0 ? self.limits.answer : self.limits.idle)
        }
        context.fireChannelRead(data)
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        if case .end = self.unwrapOutboundIn(data) {
            self.open -= 1
            if self.isReadingBody {
                // It was refused (413): a moment for who does not listen while sending, so that the answer arrives.
                self.wasted = 0
                self.expect(self.limits.linger)
            } else {
                self.expect(self.open > 0 ? self.limits.answer : self.limits.idle)
            }
        }
        context.write(data, promise: promise)
    }

    private func expect(_ time: Duration) { self.deadline = .now() + TimeAmount(time) }
}
