import BellhopCore
import GRDB

/// What the spool is asked now and then, beside its daily work.
extension SQLiteSpool {
    /// Rejected events that are kept, of all sources.
    private static let rejectedLimit = 10_000

    package func tryOut() async throws {
        let (path, maxSize) = (self.path, self.maxSize)
        try await self.write { db in
            if try SQLiteSpool.used(db) > maxSize { throw SpoolError.full(path: path) }
            // Changes nothing, and needs the lock and room on the disk for it.
            try db.execute(sql: "UPDATE source SET horizon = horizon WHERE id = (SELECT min(id) FROM source)")
        }
    }

    package func foreignChanges() async throws -> Int {
        try await self.read { try Int.fetchOne($0, sql: "PRAGMA data_version") ?? 0 }
    }

    package func pendingSinks(but known: Set<String>) async throws -> [String: Int] {
        try await self.read { db in
            let sinks = try Row.fetchAll(db, sql: "SELECT id, name FROM sink")
            var found: [String: Int] = [:]
            for sink in sinks where !known.contains(sink["name"]) {
                let count =
                    try Int.fetchOne(
                        db,
                        sql: "SELECT count(*) FROM delivery WHERE state = 0 AND sink = ?",
                        arguments: [sink["id"] as Int64]
                    ) ?? 0
                if count > 0 { found[sink["name"]] = count }
            }
            return found
        }
    }

    package func prune(_ retention: Retention, now: Timestamp, after: Int64, limit: Int) async throws -> Pruned {
        try await self.write { db in
            try SQLiteSpool.pruneRejected(db, before: now - retention.keepDeadLetters, limit: limit)
            // Rows are in the order they were accepted, so nothing follows the first young one. However many old ones
            // are kept for their dead letters, a step looks at so many.
            let old = (now - retention.keep).nanoseconds
            let examined = try Row.fetchOne(
                db,
                sql: """
                    SELECT max(id), max(accepted), count(*)
                    FROM (SELECT id, accepted FROM event WHERE id > ? ORDER BY id LIMIT ?)
                    """,
                arguments: [after, limit]
            )
            guard let examined, let last = examined[0] as Int64? else { return Pruned(forgotten: 0, next: nil) }
            // An event inside its source's overlap stays: its id is what tells a repeat.
            try db.execute(
                sql: """
                    DELETE FROM event WHERE id IN (
                        SELECT e.id FROM event e JOIN source s ON s.id = e.source
                        WHERE e.id > :after AND e.id <= :last AND e.accepted < :old AND e.time < s.horizon
                        AND NOT EXISTS (
                            SELECT 1 FROM delivery d WHERE d.event = e.id
                            AND (d.state IN (0, 4) OR (d.state = 2 AND d.settled >= :dead))
                        )
                    )
                    """,
                arguments: [
                    "after": after, "last": last, "old": old,
                    "dead": (now - retention.keepDeadLetters).nanoseconds,
                ]
            )
            let forgotten = db.changesCount
            let (youngest, count): (Int64, Int) = (examined[1], examined[2])
            let isOver = youngest >= old || count < limit
            return Pruned(forgotten: forgotten, next: isOver ? nil : last)
        }
    }

    /// What is no event is kept for a person, who looks at the newest; a sender of nothing else must not fill the disk.
    private static func pruneRejected(_ db: Database, before time: Timestamp, limit: Int) throws {
        try db.execute(
            sql: """
                DELETE FROM rejected WHERE id IN (SELECT id FROM rejected WHERE at < ? ORDER BY id LIMIT ?)
                    OR id <= (SELECT id FROM rejected ORDER BY id DESC LIMIT 1 OFFSET ?)
                """,
            arguments: [time.nanoseconds, limit, SQLiteSpool.rejectedLimit]
        )
    }
}
