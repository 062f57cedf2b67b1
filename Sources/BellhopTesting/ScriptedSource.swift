import Bellhop
import BellhopCore

/// A source that sends given batches, numbered by its checkpoints, and then is caught up, or waits to be cancelled.
package struct ScriptedSource: Source {
    package static let kind = "scripted"
    package static let reference = "kind: scripted"

    package let name: String
    package let address = "memory"
    private let batches: [[Event]]

    package init(name: String, options: OptionReader, context: ComponentContext) {
        self.init(name: name, batches: [])
    }

    private let stays: Bool
    /// One element when it was cancelled while it waited.
    package let cancelled: AsyncStream<Void>
    private let cancel: AsyncStream<Void>.Continuation

    package init(name: String = "scripted", batches: [[Event]], stays: Bool = false) {
        self.name = name
        self.batches = batches
        self.stays = stays
        (self.cancelled, self.cancel) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    package func event(_ data: Bytes, now: Timestamp) throws -> Event {
        try SampleEvents.event(data, source: self.name, now: now)
    }

    package func run(from checkpoint: Checkpoint?, into channel: Channel) async throws {
        let start = checkpoint.flatMap { Int($0.position) } ?? 0
        for (index, events) in self.batches.enumerated().dropFirst(start) {
            let position = Checkpoint(position: "\(index + 1)", horizon: .distantPast)
            try await channel.send(Batch(source: self.name, events: events, checkpoint: position))
        }
        guard self.stays else { return }
        try? await Task.sleep(for: .seconds(3600))
        self.cancel.yield()
    }
}
