import BellhopCore

package protocol Sink: Component {
    /// Whether it sends events, or what a rule's `body` makes of them, rather than messages.
    static var sendsEvents: Bool { get }
    var dispatch: DispatchPolicy { get }
    /// Where deliveries are best made; nil is anywhere.
    var executor: (any TaskExecutor)? { get }
    /// Sends what it is given and says of each delivery, in order, what came of it. With more than one, an error at one
    /// place means that nothing after it was sent. May be called again with the same delivery.
    func deliver(_ deliveries: [Delivery]) async -> [Verdict]
    /// What it would send of a delivery; nothing is sent.
    /// - Throws: ``DeliveryError`` for what cannot be sent.
    func preview(_ delivery: Delivery) throws(DeliveryError) -> SinkPreview
    /// Opens its destination again under the same name (SIGHUP, after logrotate).
    func reopen() async
    /// Called once, after the last delivery.
    func close() async
}

extension Sink {
    package static var sendsEvents: Bool { true }
    package var executor: (any TaskExecutor)? { nil }
    package func reopen() async {}
    package func close() async {}
}

/// What a sink would send, for people: secrets are masked.
package struct SinkPreview: Sendable {
    /// A request line and headers, a file's name, or a command.
    package let head: [String]
    package let body: String

    package init(head: [String], body: String) {
        self.head = head
        self.body = body
    }
}

/// How the dispatcher treats a sink.
package struct DispatchPolicy: Sendable, Hashable {
    package enum Order: String, CaseIterable, Sendable {
        /// The deliveries of one task leave in the order of its events; one that fails holds back only its task.
        case task
        /// All deliveries leave in order; one that fails holds back all.
        case sink
        case none
    }

    package var order: Order
    /// Calls of `deliver` at once.
    package var concurrency: Int
    /// Deliveries in one call.
    package var batchLimit: Int
    package var retry: RetryPolicy
    /// Scheme, name and port of the receiver; its pauses and its rate are shared by all sinks that send there.
    package var host: String?
    package var rate: RateLimit?
    /// Nil for destinations that fail one by one, like files.
    package var breaker: CircuitBreaker.Policy?

    package init(
        order: Order = .task,
        concurrency: Int = 1,
        batchLimit: Int = 1,
        retry: RetryPolicy = .default,
        host: String? = nil,
        rate: RateLimit? = nil,
        breaker: CircuitBreaker.Policy? = nil
    ) {
        self.order = order
        self.concurrency = concurrency
        self.batchLimit = batchLimit
        self.retry = retry
        self.host = host
        self.rate = rate
        self.breaker = breaker
    }
}

/// A rate, and what it is the rate of.
package struct RateLimit: Sendable, Hashable {
    package enum Scope: Sendable {
        /// All attempts at the host, whichever sink makes them.
        case host
        /// The sink's own: chat services count for each webhook.
        case sink
    }

    package let rate: Rate
    package let scope: Scope

    package init(_ rate: Rate, _ scope: Scope) {
        self.rate = rate
        self.scope = scope
    }
}
