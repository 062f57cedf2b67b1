import ArgumentParser
import Bellhop
import BellhopCore
import Foundation

/// Where the spool is, and how to print what is in it.
struct SpoolOptions: ParsableArguments {
    @OptionGroup var config: ConfigurationOption
    @Option(help: "The data folder, instead of the configuration's.")
    var dataDir: String?
    @Flag(help: "Print JSON.")
    var json = false

    func withSpool(_ body: (SQLiteSpool) async throws -> Void) async throws {
        let spool = try self.config.spool(dataFolder: self.dataDir)
        do {
            try await body(spool)
        } catch let error as SpoolError {
            printError("\(error)")
            throw ExitCode.no
        }
        try await spool.close()
    }

    func print(_ records: some Encodable, _ table: Table) {
        Swift.print(
            self.json ? records.json + "\n" : table.text(isTerminal: Terminal.outputIsTerminal),
            terminator: ""
        )
    }
}

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
    @Option(help: "At most so many.")
    var limit = 100

    var filter: DeliveryFilter {
        var filter = DeliveryFilter()
        filter.sink = self.sink
        filter.rule = self.rule
        filter.event = self.event
        filter.task = self.task
        filter.limit = self.limit
        return filter
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

extension DeliveryRecord {
    /// The story of one delivery in a few lines.
    func story(_ attempts: [AttemptRecord], data: String) -> String {
        var lines = [
            "delivery \(self.id) is \(self.state)",
            "  event    \(self.event) of source \(self.source), happened \(self.time)",
            "  task     \(self.task ?? "none")",
            "  accepted \(self.accepted), because rule '\(self.rule)' matched; owed to sink '\(self.sink)'",
        ]
        for attempt in attempts { lines.append("  attempt  \(attempt.number) at \(attempt.at): \(attempt.reason)") }
        if self.state == "delivered" {
            lines.append("  attempt  \(self.attempts) at \(self.settled ?? "?"): delivered, \(self.answer ?? "")")
        }
        if let due = self.due { lines.append("  next     attempt \(self.attempts + 1) at \(due)") }
        lines.append("  data     \(data)")
        let isSafe: (Unicode.Scalar) -> Bool = { $0.value >= 32 && $0.value != 127 }
        return lines.map { String(String.UnicodeScalarView($0.unicodeScalars.filter(isSafe))) + "\n" }.joined()
    }
}
