import ArgumentParser
import Bellhop
import BellhopCore
import Foundation
import Logging

/// Where the spool is, and how to print what is in it.
struct SpoolOptions: ParsableArguments {
    @OptionGroup var config: ConfigurationOption
    @Option(help: "The data folder, instead of the configuration's.")
    var dataDir: String?
    @Flag(help: "Print JSON.")
    var json = false

    func folder() throws -> String {
        try self.dataDir ?? self.config.load(Logger(label: "bellhop") { _ in SwiftLogNoOpLogHandler() }).dataFolder
    }

    func withSpool(_ body: (SQLiteSpool) async throws -> Void) async throws {
        let spool: SQLiteSpool
        do {
            spool = try SQLiteSpool.existing(in: try self.folder())
        } catch let error as SpoolError {
            printError("\(error)")
            throw ExitCode.no
        }
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
