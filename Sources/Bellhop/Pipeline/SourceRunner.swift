import BellhopCore
import Logging

/// Keeps one source running: from its last checkpoint on disk, and again from there when it throws.
struct SourceRunner: Sendable {
    let source: any Source
    let spool: any Spool
    let channel: Channel
    let context: ComponentContext

    /// Runs until cancelled; where the context says `once`, until the source is caught up or cannot go on.
    func run() async {
        var failures = 0
        while !Task.isCancelled {
            let started = self.context.clock.now()
            do {
                try await self.source.run(from: self.spool.checkpoint(of: self.source.name), into: self.channel)
                return
            } catch is CancellationError {
                return
            } catch ChannelError.closed {
                return
            } catch {
                // After a good while it is another failure, not the next one.
                if self.context.clock.now() - started > .seconds(120) { failures = 0 }
                failures += 1
                self.context.tally.source(self.source.name) { $0.problem = "\(error)" }
                if self.context.once {
                    // Whoever waits for the end is told now; the next run starts from the same checkpoint.
                    self.log("a source could not be read to its end", error)
                    return
                }
                if failures == 1 { self.log("a source has to wait", error) }
                let ceiling = min(60.0, Double(UInt64(1) << UInt64(min(failures, 6))))
                let wait = Duration.seconds(max(1, Double.random(in: 0...ceiling)))
                guard (try? await self.context.clock.sleep(for: wait)) != nil else { return }
            }
        }
    }

    private func log(_ message: Logger.Message, _ error: any Error) {
        self.context.logger.error(
            message,
            metadata: [LogKeys.source: "\(self.source.name)", LogKeys.reason: "\(error)"]
        )
    }
}
