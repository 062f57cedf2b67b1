import BellhopCore
import Foundation
import GRDB
import Synchronization

/// What waits in the spool.
package struct SpoolStatus: Sendable {
    package struct Backlog: Sendable {
        package var pending = 0
        /// When the event of the oldest pending delivery was accepted.
        package var oldest: Timestamp?
        package var held = 0
        package var dead = 0

        package init() {}
    }

    /// By the sink's name.
    package let sinks: [String: Backlog]
    /// Bytes of the file.
    package let size: Int64
}

/// Looks at a spool that somebody works with, on a connection of its own that only reads, so that deliveries do not wait
/// for who counts them.
package final class SQLiteStatus: Sendable {
    /// How long an answer is good enough, however many ask.
    private static let freshness: Duration = .seconds(5)

    private let path: String
    private let database: DatabaseQueue
    private let last = Mutex<(status: SpoolStatus, at: ContinuousClock.Instant)?>(nil)

    /// - Throws: ``SpoolError`` where it cannot be read.
    package init(folder: String) throws {
        self.path = SQLiteSpool.path(in: folder)
        guard FileManager.default.fileExists(atPath: self.path) else { throw SpoolError.missing(path: self.path) }
        var configuration = GRDB.Configuration()
        configuration.label = "status"
        configuration.readonly = true
        configuration.busyMode = .timeout(5)
        configuration.prepareDatabase { try $0.execute(sql: "PRAGMA cache_size = -1000") }
        do {
            self.database = try DatabaseQueue(path: self.path, configuration: configuration)
        } catch {
            throw SQLiteSpool.translate(error, self.path)
        }
    }

    package func read() async throws -> SpoolStatus {
        if let last = self.last.withLock({ $0 }), .now - last.at < SQLiteStatus.freshness { return last.status }
        let status = try await self.database.read { db in
            var sinks: [String: SpoolStatus.Backlog] = [:]
            let names = try Row.fetchAll(db, sql: "SELECT id, name FROM sink").reduce(into: [Int64: String]()) {
                $0[$1["id"]] = $1["name"]
            }
            // Each from an index of its own, whatever the spool holds besides.
            let pending = try Row.fetchAll(
                db,
                sql: """
                    SELECT p.sink, p.count, e.accepted FROM
                        (SELECT sink, count(*) AS count, min(id) AS first FROM delivery WHERE state = 0 GROUP BY sink) p
                        JOIN delivery d ON d.id = p.first JOIN event e ON e.id = d.event
                    """
            )
            for row in pending {
                guard let name = names[row["sink"]] else { continue }
                sinks[name, default: .init()].pending = row["count"]
                sinks[name, default: .init()].oldest = Timestamp(nanoseconds: row["accepted"])
            }
            let kept = try Row.fetchAll(
                db,
                sql: "SELECT sink, state, count(*) AS count FROM delivery WHERE state IN (2, 4) GROUP BY sink, state"
            )
            for row in kept {
                guard let name = names[row["sink"]] else { continue }
                if row["state"] == SQLiteSchema.State.held {
                    sinks[name, default: .init()].held = row["count"]
                } else {
                    sinks[name, default: .init()].dead = row["count"]
                }
            }
            let pages = try Int64.fetchOne(db, sql: "PRAGMA page_count") ?? 0
            let pageSize = try Int64.fetchOne(db, sql: "PRAGMA page_size") ?? 0
            return SpoolStatus(sinks: sinks, size: pages * pageSize)
        }
        self.last.withLock { $0 = (status, .now) }
        return status
    }

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
            try SQLiteStatus.check(part)
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
