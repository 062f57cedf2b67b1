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
package final class SQLiteReader: Sendable {
    /// How long an answer is good enough, however many ask.
    private static let freshness: Duration = .seconds(5)

    private let path: String
    let database: DatabaseQueue
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

    package func status() async throws -> SpoolStatus {
        if let last = self.last.withLock({ $0 }), .now - last.at < SQLiteReader.freshness { return last.status }
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
}
