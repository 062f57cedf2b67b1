import ArgumentParser
import Bellhop
import BellhopCore
import Foundation

/// What a person may decide about a delivery that is not settled.
enum DeliveryChange {
    case retry, discard

    static let discussion = """
        Numbers are acted on at once; with filters instead, it asks first, or needs --yes where nobody can answer. A
        running bellhop follows within a second.
        """

    var verb: String { self == .retry ? "retry" : "discard" }
}

extension SpoolOptions {
    func list(_ filter: DeliveryFilter) async throws {
        try await self.withSpool { spool in
            let records = try await spool.deliveries(filter)
            self.print(records, records.table)
        }
    }

    // `state`: the only one that is meant here.
    func show(_ id: Int64, state: String? = nil) async throws {
        try await self.withSpool { spool in
            var filter = DeliveryFilter()
            filter.ids = [id]
            filter.states = state.map { [$0] } ?? []
            guard let record = try await spool.deliveries(filter).first else {
                let (what, list) =
                    state == "dead" ? ("dead letter", "dead-letters list") : ("delivery", "deliveries list")
                printError("there is no \(what) \(id); 'bellhop \(list)' shows their numbers")
                throw ExitCode.no
            }
            let story = DeliveryStory(
                delivery: record,
                attempts: try await spool.attempts(of: id),
                data: try await spool.events(of: [id])[id]?.data.string ?? ""
            )
            Swift.print(self.json ? story.json + "\n" : story.text, terminator: "")
        }
    }

    func change(_ change: DeliveryChange, _ filter: DeliveryFilter, _ selection: SelectionOptions) async throws {
        for state in filter.states where ["delivered", "discarded"].contains(state) {
            printError("what is \(state) is settled; --state can be pending, held or dead here")
            throw ExitCode.no
        }
        var filter = filter
        filter.ids = selection.ids
        try await self.withSpool { spool in
            let count = try await spool.count(filter)
            let kind = filter.states == ["dead"] ? "dead letter" : "\(filter.states.joined()) delivery"
            let kinds = filter.states == ["dead"] ? "dead letters" : "\(filter.states.joined()) deliveries"
            let what = "\(count.grouped) \(count == 1 ? kind : kinds)"
            guard count > 0 else {
                printError("there are no such \(kinds); 'bellhop deliveries list' shows what there is")
                throw ExitCode.no
            }
            if selection.ids.isEmpty && !selection.yes {
                guard isatty(STDIN_FILENO) == 1 else {
                    printError("this would \(change.verb) \(what); add --yes to do it")
                    throw ExitCode.no
                }
                Swift.print("\(change.verb.capitalized) \(what)? [y/N] ", terminator: "")
                fflush(nil)
                guard readLine()?.lowercased().hasPrefix("y") == true else { throw ExitCode.no }
            }
            let now = SystemClock().now()
            switch change {
            case .retry: Swift.print("\(Self.deliveries(try await spool.retry(filter, now: now))) pending and due now")
            case .discard: Swift.print("\(Self.deliveries(try await spool.discard(filter, now: now))) discarded")
            }
        }
    }

    private static func deliveries(_ count: Int) -> String {
        count == 1 ? "1 delivery is" : "\(count.grouped) deliveries are"
    }

    func why(_ id: String) async throws {
        try await self.withSpool { spool in
            let events = try await spool.events(id: id)
            guard !events.isEmpty else {
                printError(
                    "the spool knows no event '\(id)': it was not read yet, was rejected (bellhop rejected list), "
                        + "or is forgotten ('spool.keep')"
                )
                throw ExitCode.no
            }
            var stories: [EventStory] = []
            for event in events {
                var filter = DeliveryFilter()
                filter.eventNumber = event.number
                filter.limit = 1000
                var deliveries: [DeliveryStory] = []
                for record in try await spool.deliveries(filter).reversed() {
                    deliveries.append(
                        DeliveryStory(delivery: record, attempts: try await spool.attempts(of: record.id), data: nil)
                    )
                }
                stories.append(EventStory(event: event, deliveries: deliveries))
            }
            Swift.print(self.json ? stories.json + "\n" : stories.map(\.text).joined(separator: "\n"), terminator: "")
        }
    }
}

/// A delivery and all that was tried.
struct DeliveryStory: Encodable {
    let delivery: DeliveryRecord
    let attempts: [AttemptRecord]
    /// The event as it came; nil where it is told beside.
    let data: String?

    var text: String {
        let delivery = self.delivery
        var lines = ["delivery \(delivery.id) is \(delivery.state)"]
        if self.data != nil {
            lines.append("  event    \(delivery.event) of source \(delivery.source), happened \(delivery.time)")
            lines.append("  task     \(delivery.task ?? "none")")
        }
        lines.append(
            "  accepted \(delivery.accepted), because rule '\(delivery.rule)' matched; owed to sink '\(delivery.sink)'"
        )
        for attempt in self.attempts {
            lines.append("  attempt  \(attempt.number) at \(attempt.at): \(attempt.reason)")
        }
        switch delivery.state {
        case "delivered":
            let settled = delivery.settled ?? "?"
            lines.append("  attempt  \(delivery.attempts) at \(settled): delivered, \(delivery.answer ?? "")")
        case "discarded": lines.append("  settled  at \(delivery.settled ?? "?"), discarded by a person")
        case "pending":
            // What was postponed is no attempt, and in no other line.
            if let answer = delivery.answer, answer != self.attempts.last?.reason {
                lines.append("  waits    \(answer)")
            }
            lines.append("  next     attempt \(delivery.attempts + 1) at \(delivery.due ?? "the next occasion")")
        case "held": lines.append("  next     nothing, until 'bellhop deliveries retry | discard \(delivery.id)'")
        case "dead": lines.append("  next     nothing, until 'bellhop dead-letters retry | discard \(delivery.id)'")
        default: break
        }
        if let data { lines.append("  data     \(data)") }
        return lines.printable
    }
}

/// An event, and what became of it at each sink.
struct EventStory: Encodable {
    let event: EventRecord
    let deliveries: [DeliveryStory]

    var text: String {
        let event = self.event
        var lines = ["event \(event.id) of source \(event.source), happened \(event.time), accepted \(event.accepted)"]
        if let task = event.task { lines.append("  task     \(task)") }
        lines.append("  data     \(event.data)")
        if self.deliveries.isEmpty { lines.append("  no rule matched it, so it was sent nowhere") }
        return lines.printable + self.deliveries.map(\.text).joined()
    }
}

extension [String] {
    /// A line each, without what could move a terminal's cursor.
    fileprivate var printable: String {
        let isSafe: (Unicode.Scalar) -> Bool = { $0.value >= 32 && !(127...159).contains($0.value) }
        return self.map { String(String.UnicodeScalarView($0.unicodeScalars.filter(isSafe))) + "\n" }.joined()
    }
}

extension [DeliveryRecord] {
    var table: Table {
        var table = Table(["ID", "STATE", "SINK", "RULE", "EVENT", "TIME", "ATTEMPTS", "ANSWER"])
        for record in self {
            table.add([
                "\(record.id)", record.state, record.sink, record.rule, record.event, record.time, "\(record.attempts)",
                record.answer ?? "",
            ])
        }
        return table
    }
}
