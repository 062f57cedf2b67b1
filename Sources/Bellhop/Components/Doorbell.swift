/// Tells one loop that there is something to do. Rings while it works fold into one: the stream holds at most one.
package struct Doorbell: Sendable {
    /// Read by one long-lived loop only: a task cancelled while reading ends the stream for everybody.
    package let rings: AsyncStream<Void>
    private let continuation: AsyncStream<Void>.Continuation

    package init() {
        (self.rings, self.continuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    package func ring() { self.continuation.yield() }
    package func close() { self.continuation.finish() }
}
