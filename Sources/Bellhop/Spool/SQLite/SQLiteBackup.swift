import Foundation
import GRDB

extension SQLiteReader {
    /// Copies the spool, as it is at one moment, into a file that is whole or not there; bellhop may work meanwhile.
    /// - Throws: ``SpoolError``, or ``BackupError``.
    package func backUp(to destination: String) async throws {
        guard !FileManager.default.fileExists(atPath: destination) else {
            throw BackupError("\(destination) is there already; a backup is never written over")
        }
        let part = destination + ".part"
        try? FileManager.default.removeItem(atPath: part)
        // Made by us first: it holds names of people and rooms, as the spool does.
        guard FileManager.default.createFile(atPath: part, contents: nil, attributes: [.posixPermissions: 0o600]) else {
            throw BackupError("cannot write \(part): \(String(cString: strerror(errno)))")
        }
        do {
            try await self.database.writeWithoutTransaction { db in
                try db.execute(sql: "VACUUM INTO ?", arguments: [part])
            }
            try SQLiteReader.check(part)
        } catch {
            try? FileManager.default.removeItem(atPath: part)
            throw error is BackupError ? error : BackupError("the backup to \(destination) failed: \(error)")
        }
        guard rename(part, destination) == 0 else {
            throw BackupError("cannot write \(destination): \(String(cString: strerror(errno)))")
        }
    }

    /// Reads all of a backup again, and sees that it is on disk.
    private static func check(_ path: String) throws {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        defer { Foundation.close(descriptor) }
        guard descriptor >= 0, fsync(descriptor) == 0 else {
            throw BackupError("cannot write \(path): \(String(cString: strerror(errno)))")
        }
        var configuration = GRDB.Configuration()
        configuration.readonly = true
        let copy = try DatabaseQueue(path: path, configuration: configuration)
        let result = try copy.read { try String.fetchOne($0, sql: "PRAGMA quick_check") }
        try copy.close()
        guard result == "ok" else { throw BackupError("the copy is damaged: \(result ?? "")") }
    }
}

package struct BackupError: Error, CustomStringConvertible {
    package let description: String

    init(_ description: String) { self.description = description }
}
