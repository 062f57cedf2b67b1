import BellhopCore
import Foundation
import Logging

/// Reads lines of JSON from files, or from standard input.
package struct FileSource: Source {
    package static let kind = "file"
    package static let reference = """
        # Reads events from files: a line of JSON each. Names that end in .gz or .zst are unpacked.
        kind: file
        path: ./events.ndjson      # or a pattern like ./events-*.ndjson, or - for standard input
        follow: false              # true: read on as files grow, through rotation and truncation, like tail -F
        id: event_id               # the field that names an event; without one it is known by its place in the file
        time: timestamp            # the field with its time; without one it is when it was read
        task: task.id              # the field that joins the events of one alert
        poll_interval: 1s          # how often to look for more
        """

    package let name: String
    package let address: String

    private let files: FileSet.Settings
    private let fields: EventFields
    private let pollInterval: Duration
    private let context: ComponentContext
    private let poller: Poller

    package init(name: String, options: OptionReader, context: ComponentContext) {
        self.name = name
        self.context = context
        self.poller = Poller(name, context)
        let path = options.requiredString("path", "a file, a pattern like ./events-*.ndjson, or - for standard input")
        self.files = FileSet.Settings(
            path: path == "-" ? path : context.path(path),
            isFollowed: options.bool("follow", default: false)
        )
        self.address = self.files.path == "-" ? "standard input" : self.files.path
        self.fields = EventFields(options)
        self.pollInterval = options.duration(
            "poll_interval",
            default: .seconds(1),
            in: .milliseconds(10)...(.seconds(3600))
        )
    }

    package func event(_ data: Bytes, now: Timestamp) throws -> Event {
        try self.fields.event(data, source: self.name, now: now) { "sample" }
    }

    package func run(from checkpoint: Checkpoint?, into channel: Channel) async throws {
        let start = try checkpoint.map { checkpoint in
            guard let read = FileCheckpoint(checkpoint.position) else {
                throw SourceError(
                    "its checkpoint is none of a file source; was the source '\(self.name)' of another kind?"
                )
            }
            return read
        }
        let files = FileSet(self.files, from: start ?? FileCheckpoint(), logger: self.poller.logger)
        while true {
            try Task.checkCancellation()
            switch try await files.next(now: self.context.clock.now()) {
            case .lines(let lines, let file, let checkpoint):
                try await channel.send(self.batch(lines, of: file, checkpoint))
                self.poller.recovered()
            case .unfinished: break
            case .caughtUp:
                self.poller.recovered()
                self.poller.caughtUp()
                if self.context.once { return }
                try await self.context.clock.sleep(for: self.pollInterval)
            }
        }
    }

    private func batch(
        _ lines: [LineFile.Line],
        of file: FileCheckpoint.File,
        _ checkpoint: FileCheckpoint
    ) -> Batch {
        var events: [Event] = []
        var rejected: [RejectedEvent] = []
        let now = self.context.clock.now()
        for line in lines where !line.data.isBlank {
            let place = "\(file.path):\(line.number)"
            guard !line.isTooLong else {
                let limit = LineFile.lineLimit
                rejected.append(
                    RejectedEvent(data: line.data, reason: "\(place): the line is longer than \(limit) bytes")
                )
                continue
            }
            do {
                let event = try self.fields.event(line.data, source: self.name, now: now) {
                    "\(file.device)-\(file.inode)-\(file.epoch)-\(line.offset)"
                }
                events.append(event)
            } catch {
                rejected.append(RejectedEvent(data: line.data, reason: "\(place): \(error)"))
            }
        }
        // What has been read is not read again, so nothing need be remembered to tell repeats but what a restart repeats.
        let horizon = events.map(\.time).min() ?? now
        return Batch(
            source: self.name,
            events: events,
            rejected: rejected,
            checkpoint: Checkpoint(position: checkpoint.text, horizon: horizon)
        )
    }
}

extension Bytes {
    fileprivate var isBlank: Bool {
        self.withUnsafeBytes { $0.allSatisfy { $0 == 32 || $0 == 9 || $0 == 13 } }
    }
}
