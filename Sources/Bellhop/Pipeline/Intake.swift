import BellhopCore
import Logging

/// Runs what sources send through the rules and into the spool, and tells the dispatchers. One batch at a time.
struct Intake: Sendable {
    let channel: Channel
    let rules: RuleSet
    let spool: any Spool
    let dispatchers: [String: Dispatcher]
    let context: ComponentContext

    /// Works until the channel is closed and empty.
    func run() async {
        let evaluator = RuleEvaluator(self.rules)
        var throttles: [String: LogThrottle] = [:]
        for await handoff in self.channel.handoffs {
            do {
                handoff.answer(.success(try await self.take(handoff.batch, evaluator, &throttles)))
            } catch {
                self.context.tally.spool("\(error)")
                handoff.answer(.failure(error))
            }
        }
    }

    private func take(
        _ batch: Batch,
        _ evaluator: RuleEvaluator,
        _ throttles: inout [String: LogThrottle]
    ) async throws -> Receipt {
        var matched: [String: Int] = [:]
        var events: [Event] = []
        var routes: [[Route]] = []
        var rejected = batch.rejected
        for event in batch.events {
            do {
                let rules = try evaluator.matches(event).map { self.rules.rules[$0] }
                for rule in rules { matched[rule.name, default: 0] += 1 }
                routes.append(rules.flatMap { rule in rule.sinks.map { Route(rule: rule.name, sink: $0) } })
                // Deliveries may keep it in memory long after its page.
                events.append(rules.isEmpty ? event : event.detached)
            } catch {
                rejected.append(RejectedEvent(data: event.data, reason: "\(error)"))
            }
        }
        let batch = Batch(source: batch.source, events: events, rejected: rejected, checkpoint: batch.checkpoint)
        let now = self.context.clock.now()
        let appended = try await self.spool.append(batch, routes: routes, now: now)
        for (sink, deliveries) in appended.deliveries { self.dispatchers[sink]?.offer(deliveries) }
        self.context.tally.appended(batch, appended, matched: matched, now: now)
        if appended.rejected > 0,
            let count = throttles[batch.source, default: .init()].note(appended.rejected, now: now)
        {
            self.context.logger.warning(
                "a source sent what is no event; see 'bellhop rejected list'",
                metadata: [
                    LogKeys.source: "\(batch.source)", LogKeys.count: "\(count)",
                    LogKeys.reason: "\(rejected.first?.reason ?? "")",
                ]
            )
        }
        return appended.receipt
    }
}
