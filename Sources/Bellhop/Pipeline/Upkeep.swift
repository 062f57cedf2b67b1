import BellhopCore
import Logging

/// What the spool needs now and then: old events forgotten, and changes of other processes noticed.
struct Upkeep: Sendable {
    let spool: any Spool
    let retention: Retention
    let dispatchers: [Dispatcher]
    let context: ComponentContext

    /// Works until cancelled.
    func run() async {
        await withDiscardingTaskGroup { group in
            group.addTask { await self.watch() }
            group.addTask { await self.forget() }
        }
    }

    private func watch() async {
        var changes = try? await self.spool.foreignChanges()
        while (try? await self.context.clock.sleep(for: .seconds(1))) != nil {
            await self.retrySpool()
            let current = try? await self.spool.foreignChanges()
            if let current, current != changes {
                changes = current
                for dispatcher in self.dispatchers { dispatcher.reload() }
            }
        }
    }

    /// After an append that failed nobody may send another: who is told that bellhop is not ready sends nothing.
    private func retrySpool() async {
        guard self.context.tally.current.spoolProblem != nil else { return }
        do {
            try await self.spool.tryOut()
            self.context.tally.spool(nil)
        } catch {
            self.context.tally.spool("\(error)")
        }
    }

    private func forget() async {
        repeat { await self.prune() } while (try? await self.context.clock.sleep(for: .seconds(60))) != nil
    }

    /// In small steps, so that no append waits long.
    private func prune() async {
        do {
            var position: Int64? = 0
            while let after = position {
                let now = self.context.clock.now()
                position = try await self.spool.prune(self.retention, now: now, after: after, limit: 500).next
                try await self.context.clock.sleep(for: .milliseconds(20))
            }
        } catch is CancellationError {
        } catch {
            self.context.logger.warning("old events cannot be removed", metadata: [LogKeys.reason: "\(error)"])
        }
    }
}
