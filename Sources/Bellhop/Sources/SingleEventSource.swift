import BellhopCore

/// One event that is already there, under the name of the source it is of: goes through rules and spool like any.
package struct SingleEventSource: Source {
    package static let kind = "single"
    package static let reference = ""

    package var name: String { self.event.source }
    package let address = "one event"
    private let event: Event

    package init(_ event: Event) { self.event = event }

    package init(name: String, options: OptionReader, context: ComponentContext) {
        self.event = Event(source: name, id: "", time: .distantPast, data: Bytes())
    }

    package func event(_ data: Bytes, now: Timestamp) throws -> Event { self.event }

    package func run(from checkpoint: Checkpoint?, into channel: Channel) async throws {
        // Without a checkpoint: where the source itself left off stays as it is.
        try await channel.send(Batch(source: self.name, events: [self.event], checkpoint: nil))
    }
}
