import ArgumentParser
import Bellhop
import Foundation

struct BackupCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "backup",
        abstract: "Copy the spool as it is at one moment, also while bellhop runs.",
        discussion: """
            To go back to it: stop bellhop, put the file in place of spool.db in the data folder, remove spool.db-wal and spool.db-shm there, and \
            start bellhop. What was delivered since is delivered again, with the same webhook-id; sources are read on from where they were then.
            """
    )

    @OptionGroup var spool: SpoolOptions
    @Argument(help: "The file to write; one that is there is not written over.")
    var destination: String

    func run() async throws {
        do {
            let reader = try SQLiteReader(folder: try self.spool.folder())
            try await reader.backUp(to: self.destination)
        } catch let error as ExitCode {
            throw error
        } catch {
            printError("\(error)")
            throw ExitCode.no
        }
        let size = (try? FileManager.default.attributesOfItem(atPath: self.destination)[.size] as? Int) ?? 0
        struct Made: Encodable { let path: String, bytes: Int }
        print(
            self.spool.json
                ? Made(path: self.destination, bytes: size).json
                : "\(self.destination): \(size.grouped) bytes, read again and found whole"
        )
    }
}
