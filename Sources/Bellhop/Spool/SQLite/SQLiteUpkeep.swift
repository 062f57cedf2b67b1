import BellhopCore
import GRDB

/// What the spool is asked now and then, beside its daily work.
extension SQLiteSpool {
    package func foreignChanges() async throws -> Int {
        try await self.read { try Int.fetchOne($0, sql: "PRAGMA data_version") ?? 0 }
    }

    package func pendingSinks() async throws -> [String: Int] {
        try await self.read { db in
            let sinks = try Row.fetchAll(db, sql: "SELECT id, name FROM sink")
            var found: [String: Int] = [:]
            for sink in sinks {
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

    package func prune(_ retention: Retention, now: Timestamp, limit: Int) async throws -> Int {
        try await self.write { db in
            // Rows are in the order they were accepted: what lies before the first young one is all there is to look
            // at. An event inside its source's overlap stays: its id is what tells a repeat.
            try db.execute(
                sql: """
                    DELETE FROM event WHERE id IN (
                        SELECT e.id FROM event e JOIN source s ON s.id = e.source
                        WHERE e.id < coalesce((SELECT id FROM event WHERE accepted >= :keep ORDER BY id LIMIT 1), 1 << 62)
                        AND e.time < s.horizon
                        AND NOT EXISTS (
                            SELECT 1 FROM delivery d WHERE d.event = e.id
                            AND (d.state IN (0, 4) OR (d.state = 2 AND d.settled >= :dead))
                        ) ORDER BY e.id LIMIT :limit
                    )
                    """,
                arguments: [
                    "keep": (now - retention.keep).nanoseconds,
                    "dead": (now - retention.keepDeadLetters).nanoseconds,
                    "limit": limit,
                ]
            )
            let events = db.changesCount
            try db.execute(
                sql: "DELETE FROM rejected WHERE id IN (SELECT id FROM rejected WHERE at < ? ORDER BY id LIMIT ?)",
                arguments: [(now - retention.keepDeadLetters).nanoseconds, limit]
            )
            return events
        }
    }
}
