import ArgumentParser
import Bellhop
import Foundation

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
