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
    package let listener: any HTTPListener
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
        listener: any HTTPListener = NoListener(),
        logger: Logger,
        tally: Tally,
        shutdown: Shutdown,
        redactor: Redactor = Redactor(),
        folder: String,
        once: Bool
    ) {
        self.clock = clock
        self.http = http
        self.listener = listener
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
