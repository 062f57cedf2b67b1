import ArgumentParser
import Bellhop
import BellhopCore

/// Which deliveries are meant.
struct FilterOptions: ParsableArguments {
    @Option(help: "Only this sink's.")
    var sink: String?
    @Option(help: "Only this rule's.")
    var rule: String?
    @Option(help: "Only of the event with this id.")
    var event: String?
    @Option(help: "Only of the task (alert) with this id.")
    var task: String?
    @Option(help: "Only with this text in the last answer.")
    var reason: String?
    @Option(help: "Only settled, or else accepted, longer ago than this, like 2h or 7d.", transform: Self.duration)
    var olderThan: Duration?
    @Option(help: "Only settled, or else accepted, not longer ago than this.", transform: Self.duration)
    var newerThan: Duration?
    @Option(help: "At most so many are listed.")
    var limit = 100

    func filter(states: [String]) -> DeliveryFilter {
        let now = SystemClock().now()
        var filter = DeliveryFilter()
        filter.states = states
        filter.sink = self.sink
        filter.rule = self.rule
        filter.event = self.event
        filter.task = self.task
        filter.reason = self.reason
        filter.before = self.olderThan.map { now - $0 }
        filter.after = self.newerThan.map { now - $0 }
        filter.limit = self.limit
        return filter
    }

    private static func duration(_ text: String) throws -> Duration {
        guard let duration = Quantity.duration(text) else {
            throw ValidationError("'\(text)' is no duration; write it like 30m, 2h or 7d")
        }
        return duration
    }
}

struct StateOption: ParsableArguments {
    @Option(help: "pending, delivered, dead, discarded or held.")
    var state: String?

    var states: [String] { self.state.map { [$0] } ?? [] }
    /// Those that a person may decide about.
    var changeable: [String] { [self.state ?? "held"] }

    func validate() throws {
        if let state = self.state, !DeliveryFilter.states.contains(state) {
            throw ValidationError("--state is one of \(DeliveryFilter.states.joined(separator: ", ")), not '\(state)'")
        }
    }
}

/// Deliveries by number, or all that the filters leave.
struct SelectionOptions: ParsableArguments {
    @Argument(help: "Numbers of deliveries.")
    var ids: [Int64] = []
    @Flag(help: "Do not ask.")
    var yes = false
}
