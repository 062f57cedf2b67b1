import BellhopCore
import Logging

/// What a source and a sink have in common: a kind, options, and the text that documents them.
package protocol Component: Sendable {
    /// The value of `kind:` in the configuration.
    static var kind: String { get }
    /// A commented YAML sample that names every option. It is the reference documentation.
    static var reference: String { get }
    /// Reads and checks the options, every mistake into the reader's diagnostics; opens nothing.
    init(name: String, options: OptionReader, context: ComponentContext)
    /// The instance's name in the configuration.
    var name: String { get }
    /// Where it reads from or sends to, without secrets, for people: `hooks.slack.com`, `/var/log/audit.ndjson`.
    var address: String { get }
}

/// What the machine lends to its components.
package struct ComponentContext: Sendable {
    package let clock: any WallClock
    package let http: HTTPClient
    package let logger: Logger
    package let tally: Tally
    /// Where a component that cannot go on says so.
    package let shutdown: Shutdown
    /// Knows every configured secret; what others answer goes through it before it is shown or stored.
    package let redactor: Redactor
    /// Relative paths in the configuration start here: its file's folder.
    package let folder: String
    /// Set where a source returns once it is caught up (`--once`).
    package let once: Bool

    package init(
        clock: any WallClock,
        http: HTTPClient,
        logger: Logger,
        tally: Tally,
        shutdown: Shutdown,
        redactor: Redactor = Redactor(),
        folder: String,
        once: Bool
    ) {
        self.clock = clock
        self.http = http
        self.logger = logger
        self.tally = tally
        self.shutdown = shutdown
        self.redactor = redactor
        self.folder = folder
        self.once = once
    }

    package func path(_ text: String) -> String {
        if text.hasPrefix("/") { return text }
        let plain = text.hasPrefix("./") ? String(text.dropFirst(2)) : text
        return self.folder == "." ? plain : "\(self.folder)/\(plain)"
    }
}

package protocol Source: Component {
    /// Reads events and sends each batch with the checkpoint that follows it. Called again from the last checkpoint on
    /// disk after it threw. Ends by cancellation; where the context says `once`, returns when it is caught up.
    /// - Throws: ``SourceError`` where it cannot go on, and whatever the channel throws.
    func run(from checkpoint: Checkpoint?, into channel: Channel) async throws
    /// Reads one event as it would come from there (`bellhop explain`, `bellhop test`).
    ///
    /// - `now`: the time of an event that has none.
    ///
    /// - Throws: what is wrong with it.
    func event(_ data: Bytes, now: Timestamp) throws -> Event
    /// Asks for one event.
    ///
    /// - `since`: how far back to look, where that matters.
    func find(_ id: String, since: Timestamp) async -> FoundEvent
    /// The fields its events have, dotted; nil where they may have any. Below one that ends in `.*` others are possible.
    static var knownFields: [String]? { get }
}

extension Source {
    package static var knownFields: [String]? { nil }

    package func find(_ id: String, since: Timestamp) async -> FoundEvent {
        .absent("a source of kind \(Self.kind) cannot be asked for one event")
    }
}

/// Why a source cannot be read; only thrown where nobody waits for it to get better.
package struct SourceError: Error, CustomStringConvertible {
    package let description: String
    /// The HTTP status that said so, where one did.
    package let status: Int?

    package init(_ description: String, status: Int? = nil) {
        self.description = description
        self.status = status
    }
}

extension FoundEvent {
    /// What a failure to ask means.
    package init(_ error: any Error) {
        let status = (error as? SourceError)?.status
        self = status == 401 || status == 403 ? .notPermitted("\(error)") : .unreachable("\(error)")
    }
}

/// What came of asking for one event by its id; the texts are sentences for people.
package enum FoundEvent: Sendable {
    case event(Event)
    case absent(String)
    case notPermitted(String)
    case unreachable(String)
}

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
