import BellhopCore

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
