/// What to look for, and where to send what is found.
package struct Rule: Sendable, Hashable {
    package let name: String
    package let pattern: Pattern
    /// Takes only what no other rule matched.
    package let otherwise: Bool
    /// Ends the list for an event that this rule matches.
    package let stop: Bool
    package let title: Template?
    package let message: Template?
    /// What a webhook, file or program gets in the event's place.
    package let body: BodyTemplate?
    /// The names of sinks.
    package let sinks: [String]

    package init(
        name: String,
        pattern: Pattern = .everything,
        otherwise: Bool = false,
        stop: Bool = false,
        title: Template? = nil,
        message: Template? = nil,
        body: BodyTemplate? = nil,
        sinks: [String]
    ) {
        self.name = name
        self.pattern = pattern
        self.otherwise = otherwise
        self.stop = stop
        self.title = title
        self.message = message
        self.body = body
        self.sinks = sinks
    }
}
