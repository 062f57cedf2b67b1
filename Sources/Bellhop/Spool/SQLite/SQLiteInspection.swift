import BellhopCore
import Foundation
import GRDB

/// A delivery as people and scripts see it.
package struct DeliveryRecord: Sendable, Encodable {
    package let id: Int64
    package let state: String
    package let sink: String
    package let rule: String
    package let source: String
    package let event: String
    package let task: String?
    package let time: String
    package let accepted: String
    package let attempts: Int
    /// When the next attempt may be made.
    package let due: String?
    package let settled: String?
    /// The receiver's last answer, or why there was none.
    package let answer: String?
}

/// One attempt that failed.
package struct AttemptRecord: Sendable, Encodable {
    package let number: Int
    package let at: String
    package let reason: String
}

package struct RejectedRecord: Sendable, Encodable {
    package let id: Int64
    package let source: String
    package let at: String
    package let reason: String
    package let data: String
}

/// Which deliveries are meant; nil is any.
package struct DeliveryFilter: Sendable {
    package var state: String?
    package var sink: String?
    package var rule: String?
    package var event: String?
    package var task: String?
    package var ids: [Int64] = []
    package var limit = 100

    package static let states = ["pending", "delivered", "dead", "discarded", "held"]

    package init() {}
}

/// What the commands beside `run` ask of a spool and change in it; works while another process owns it.
extension SQLiteSpool {
    /// Opens the spool that is in a folder, and makes nothing.
    package static func existing(in folder: String) throws -> SQLiteSpool {
        let path = self.path(in: folder)
        guard FileManager.default.fileExists(atPath: path) else { throw SpoolError.missing(path: path) }
        return try SQLiteSpool(folder: folder)
    }

    /// Newest first.
    package func deliveries(_ filter: DeliveryFilter) async throws -> [DeliveryRecord] {
        let (condition, arguments) = SQLiteSpool.condition(filter)
        return try await self.read { db in
            try Row.fetchAll(
                db,
                sql: """
                    SELECT d.id, d.state, k.name AS sink, r.name AS rule, s.name AS source, e.key, e.task, e.time, e.accepted,
                        d.attempts, d.due, d.settled, d.answer
                    FROM delivery d JOIN event e ON e.id = d.event JOIN source s ON s.id = e.source
                    JOIN rule r ON r.id = d.rule JOIN sink k ON k.id = d.sink
                    WHERE \(condition) ORDER BY d.id DESC LIMIT \(filter.limit)
                    """,
                arguments: arguments
            )
            .map(SQLiteSpool.record)
        }
    }

    package func attempts(of delivery: Int64) async throws -> [AttemptRecord] {
        try await self.read { db in
            try Row.fetchAll(
                db,
                sql: "SELECT number, at, reason FROM attempt WHERE delivery = ? ORDER BY at",
                arguments: [delivery]
            )
            .map { AttemptRecord(number: $0["number"], at: SQLiteSpool.time($0["at"]) ?? "", reason: $0["reason"]) }
        }
    }

    /// Makes dead letters pending again, with all their attempts before them.
    /// - Returns: how many.
    package func retryDeadLetters(_ filter: DeliveryFilter) async throws -> Int {
        var filter = filter
        filter.state = "dead"
        let (condition, arguments) = SQLiteSpool.condition(filter)
        let now = SystemClock().now().nanoseconds
        return try await self.write { db in
            let ids = try Int64.fetchAll(
                db,
                sql: """
                    SELECT d.id FROM delivery d JOIN event e ON e.id = d.event JOIN rule r ON r.id = d.rule
                    JOIN sink k ON k.id = d.sink WHERE \(condition)
                    """,
                arguments: arguments
            )
            for id in ids {
                // Its patience starts anew, counted from now.
                try db.execute(
                    sql: "UPDATE delivery SET state = 0, due = 0, settled = NULL, retried = ? WHERE id = ?",
                    arguments: [now, id]
                )
            }
            return ids.count
        }
    }

    /// Newest first.
    package func rejected(id: Int64? = nil, limit: Int = 100) async throws -> [RejectedRecord] {
        try await self.read { db in
            try Row.fetchAll(
                db,
                sql: """
                    SELECT r.id, s.name, r.at, r.reason, r.data FROM rejected r JOIN source s ON s.id = r.source
                    WHERE ? IS NULL OR r.id = ? ORDER BY r.id DESC LIMIT ?
                    """,
                arguments: [id, id, limit]
            )
            .map { row in
                RejectedRecord(
                    id: row[0],
                    source: row[1],
                    at: SQLiteSpool.time(row[2]) ?? "",
                    reason: row[3],
                    data: SQLiteSpool.bytes(row, 4)?.string ?? ""
                )
            }
        }
    }

    private static func condition(_ filter: DeliveryFilter) -> (String, StatementArguments) {
        var conditions = ["1"]
        var arguments = StatementArguments()
        func add(_ condition: String, _ value: (any DatabaseValueConvertible)?) {
            guard let value else { return }
            conditions.append(condition)
            arguments += [value]
        }
        add("d.state = ?", filter.state.flatMap { DeliveryFilter.states.firstIndex(of: $0) })
        add("k.name = ?", filter.sink)
        add("r.name = ?", filter.rule)
        add("e.key = ?", filter.event)
        add("e.task = ?", filter.task)
        if !filter.ids.isEmpty { conditions.append("d.id IN (\(filter.ids.map(String.init).joined(separator: ",")))") }
        return (conditions.joined(separator: " AND "), arguments)
    }

    private static func record(_ row: Row) -> DeliveryRecord {
        let state: Int = row["state"]
        let due: Int64 = row["due"]
        return DeliveryRecord(
            id: row["id"],
            state: DeliveryFilter.states[state],
            sink: row["sink"],
            rule: row["rule"],
            source: row["source"],
            event: row["key"],
            task: row["task"],
            time: self.time(row["time"]) ?? "",
            accepted: self.time(row["accepted"]) ?? "",
            attempts: row["attempts"],
            due: state == SQLiteSchema.State.pending && due > 0 ? self.time(due) : nil,
            settled: self.time(row["settled"]),
            answer: row["answer"]
        )
    }

    private static func time(_ nanoseconds: Int64?) -> String? {
        nanoseconds.map { Timestamp(nanoseconds: $0).description }
    }
}
