import ArgumentParser
import Bellhop
import BellhopCore
import Foundation

struct DeliveriesCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "deliveries",
        abstract: "What became of events.",
        subcommands: [List.self, Show.self],
        defaultSubcommand: List.self
    )

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List deliveries, newest first.")

        @OptionGroup var spool: SpoolOptions
        @OptionGroup var filter: FilterOptions
        @Option(help: "pending, delivered, dead, discarded or held.")
        var state: String?

        func validate() throws {
            if let state = self.state, !DeliveryFilter.states.contains(state) {
                throw ValidationError(
                    "--state is one of \(DeliveryFilter.states.joined(separator: ", ")), not '\(state)'"
                )
            }
        }

        func run() async throws {
            var filter = self.filter.filter
            filter.state = self.state
            try await self.spool.withSpool { spool in
                let records = try await spool.deliveries(filter)
                self.spool.print(records, records.table)
            }
        }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Tell one delivery's story: its event, and every attempt."
        )

        @OptionGroup var spool: SpoolOptions
        @Argument(help: "The delivery's number.")
        var id: Int64

        func run() async throws {
            try await self.spool.withSpool { spool in
                var filter = DeliveryFilter()
                filter.ids = [self.id]
                guard let record = try await spool.deliveries(filter).first else {
                    printError("there is no delivery \(self.id); 'bellhop deliveries list' shows their numbers")
                    throw ExitCode.no
                }
                let attempts = try await spool.attempts(of: self.id)
                let data = try await spool.events(of: [self.id])[self.id]?.data.string ?? ""
                if self.spool.json {
                    print(DeliveryStory(delivery: record, attempts: attempts, data: data).json)
                } else {
                    print(record.story(attempts, data: data), terminator: "")
                }
            }
        }
    }
}

private struct DeliveryStory: Encodable {
    let delivery: DeliveryRecord
    let attempts: [AttemptRecord]
    let data: String
}

struct DeadLettersCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dead-letters",
        abstract: "Deliveries that were given up.",
        subcommands: [List.self, Retry.self],
        defaultSubcommand: List.self
    )

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List dead letters, newest first.")

        @OptionGroup var spool: SpoolOptions
        @OptionGroup var filter: FilterOptions

        func run() async throws {
            var filter = self.filter.filter
            filter.state = "dead"
            try await self.spool.withSpool { spool in
                let records = try await spool.deliveries(filter)
                self.spool.print(records, records.table)
            }
        }
    }

    struct Retry: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Try dead letters again.",
            discussion:
                "A running bellhop takes them up within a second. With filters instead of numbers, it asks first."
        )

        @OptionGroup var spool: SpoolOptions
        @OptionGroup var filter: FilterOptions
        @Argument(help: "Numbers of deliveries.")
        var ids: [Int64] = []
        @Flag(help: "Do not ask.")
        var yes = false

        func run() async throws {
            var filter = self.filter.filter
            filter.ids = self.ids
            filter.state = "dead"
            filter.limit = .max
            try await self.spool.withSpool { spool in
                let count = try await spool.deliveries(filter).count
                guard count > 0 else {
                    printError("no dead letter fits; 'bellhop dead-letters list' shows them")
                    throw ExitCode.no
                }
                if self.ids.isEmpty && !self.yes {
                    guard isatty(STDIN_FILENO) == 1 else {
                        printError("this would retry \(count) dead letters; add --yes to do it")
                        throw ExitCode.no
                    }
                    print("Retry \(count) dead letters? [y/N] ", terminator: "")
                    fflush(nil)
                    guard readLine()?.lowercased().hasPrefix("y") == true else { throw ExitCode.no }
                }
                print("\(try await spool.retryDeadLetters(filter)) deliveries are pending again")
            }
        }
    }
}

struct RejectedCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rejected",
        abstract: "What sources sent that is no event.",
        subcommands: [List.self, Show.self],
        defaultSubcommand: List.self
    )

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List rejected events, newest first.")

        @OptionGroup var spool: SpoolOptions
        @Option(help: "At most so many.")
        var limit = 100

        func run() async throws {
            try await self.spool.withSpool { spool in
                let records = try await spool.rejected(limit: self.limit)
                var table = Table(["ID", "SOURCE", "WHEN", "REASON", "DATA"])
                for record in records {
                    table.add(["\(record.id)", record.source, record.at, record.reason, String(record.data.prefix(60))])
                }
                self.spool.print(records, table)
            }
        }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Print one rejected event as it came.")

        @OptionGroup var spool: SpoolOptions
        @Argument(help: "Its number.")
        var id: Int64

        func run() async throws {
            try await self.spool.withSpool { spool in
                guard let record = try await spool.rejected(id: self.id).first else {
                    printError("there is no rejected event \(self.id); 'bellhop rejected list' shows their numbers")
                    throw ExitCode.no
                }
                print(
                    self.spool.json ? record.json : "\(record.source), \(record.at): \(record.reason)\n\(record.data)"
                )
            }
        }
    }
}
