import Bellhop
import BellhopCore
import BellhopSimulator

/// Compares what was owed with what the spool says became of it and what receivers saw.
package struct DeliveryLedger {
    /// Ids of events, in the order their source gave them out.
    private let events: [String]
    private let records: [DeliveryRecord]
    private let sinks: [String]

    /// - `events`: each is owed to each of the sinks.
    package init(_ spool: SQLiteSpool, events: [String], sinks: [String]) async throws {
        var filter = DeliveryFilter()
        filter.limit = .max
        self.records = try await spool.deliveries(filter)
        self.events = events
        self.sinks = sinks
    }

    package func count(_ sink: String, _ state: String) -> Int {
        self.records.count { $0.sink == sink && $0.state == state }
    }

    package func attempts(_ sink: String) -> [Int] { self.records.filter { $0.sink == sink }.map(\.attempts) }

    package func answers(_ sink: String) -> Set<String> {
        Set(self.records.filter { $0.sink == sink }.compactMap(\.answer))
    }

    /// What is wrong; an empty list is a pass.
    ///
    /// - `receipts`: what each sink's receiver accepted, in order.
    package func violations(_ receipts: [String: [ReceiverSimulator.Receipt]]) throws -> [String] {
        var found: [String] = []
        for sink in self.sinks {
            let ofSink = self.records.filter { $0.sink == sink }
            let byEvent = Dictionary(grouping: ofSink, by: \.event)
            for event in self.events {
                let states = (byEvent[event] ?? []).map(\.state)
                let isSettled = states.count == 1 && ["delivered", "dead", "discarded"].contains(states[0])
                if !isSettled { found.append("\(event) to \(sink) has not one terminal outcome but \(states)") }
            }
            found += try self.violations(receipts[sink] ?? [], of: sink, byEvent)
        }
        return found
    }

    private func violations(
        _ receipts: [ReceiverSimulator.Receipt],
        of sink: String,
        _ records: [String: [DeliveryRecord]]
    ) throws -> [String] {
        var found: [String] = []
        var idOf: [String: String] = [:]
        var lastOf: [String: Int64] = [:]
        for receipt in receipts {
            let event = try JSONParser().parse(Bytes(receipt.body)) { $0["event_id"]?.leaf.text ?? "" }
            guard let record = records[event]?.first else {
                found.append("\(sink) got \(event), which was not owed")
                continue
            }
            if let id = idOf[event] {
                if id != receipt.id { found.append("\(event) came twice to \(sink), with different webhook-ids") }
                continue
            }
            idOf[event] = receipt.id
            // The first time an event arrives is what counts for its order.
            let task = record.task ?? event
            if lastOf[task, default: 0] > record.id { found.append("\(event) of task \(task) came late to \(sink)") }
            lastOf[task] = record.id
        }
        if Set(idOf.values).count != idOf.count { found.append("two events came to \(sink) with one webhook-id") }
        for (event, ofEvent) in records where ofEvent.first?.state == "delivered" && idOf[event] == nil {
            found.append("\(event) is delivered to \(sink), but never came")
        }
        return found
    }
}
