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

/// An event as it was accepted.
package struct EventRecord: Sendable, Encodable {
    /// In the spool.
    package let number: Int64
    package let id: String
    package let source: String
    package let time: String
    package let task: String?
    package let accepted: String
    package let data: String
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
    package var states: [String] = []
    package var sink: String?
    package var rule: String?
    package var event: String?
    /// An event's number in the spool.
    package var eventNumber: Int64?
    package var task: String?
    package var ids: [Int64] = []
    /// Part of the last answer, or of why there was none.
    package var reason: String?
    /// Settled before or after then; where they are not, accepted.
    package var before: Timestamp?
    package var after: Timestamp?
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
                    FROM \(SQLiteSpool.joined)
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

    package func count(_ filter: DeliveryFilter) async throws -> Int {
        let (condition, arguments) = SQLiteSpool.condition(filter)
        return try await self.read { db in
            try Int.fetchOne(
                db,
                sql: "SELECT count(*) FROM \(SQLiteSpool.joined) WHERE \(condition)",
                arguments: arguments
            ) ?? 0
        }
    }

    /// Makes deliveries pending again and due at once, with all their attempts before them. Their patience starts anew.
    /// - Returns: how many.
    package func retry(_ filter: DeliveryFilter, now: Timestamp) async throws -> Int {
        try await self.update(filter, "state = 0, due = 0, settled = NULL, retried = ?", now)
    }

    /// Settles deliveries as nobody wants them any more.
    /// - Returns: how many.
    package func discard(_ filter: DeliveryFilter, now: Timestamp) async throws -> Int {
        try await self.update(filter, "state = 3, settled = ?", now)
    }

    /// Changes those that are not settled, or were given up: the others a person has no say in. A transaction for some
    /// thousand at a time, so that a bellhop that runs waits for none of them long.
    private func update(
        _ filter: DeliveryFilter,
        _ change: String,
        _ now: Timestamp
    ) async throws
        -> Int
    {
        let (condition, arguments) = SQLiteSpool.condition(filter)
        let ids = try await self.read { db in
            try Int64.fetchAll(
                db,
                sql: "SELECT d.id FROM \(SQLiteSpool.joined) WHERE \(condition) ORDER BY d.id",
                arguments: arguments
            )
        }
        let states = [SQLiteSchema.State.pending, SQLiteSchema.State.dead, SQLiteSchema.State.held]
        let allowed = states.map(String.init).joined(separator: ",")
        var changed = 0
        for start in stride(from: 0, to: ids.count, by: 2000) {
            changed += try await self.write { db in
                let statement = try db.cachedStatement(
                    sql: "UPDATE delivery SET \(change) WHERE id = ? AND state IN (\(allowed))"
                )
                var count = 0
                for id in ids[start..<min(start + 2000, ids.count)] {
                    try statement.execute(arguments: [now.nanoseconds, id])
                    count += db.changesCount
                }
                return count
            }
        }
        return changed
    }

    private static let joined = """
        delivery d JOIN event e ON e.id = d.event JOIN source s ON s.id = e.source
        JOIN rule r ON r.id = d.rule JOIN sink k ON k.id = d.sink
        """

    /// What is known of events with an id, from any source.
    package func events(id: String) async throws -> [EventRecord] {
        try await self.read { db in
            try Row.fetchAll(
                db,
                sql: """
                    SELECT e.id, s.name, e.key, e.time, e.task, e.accepted, e.data
                    FROM source s JOIN event e ON e.source = s.id
                    WHERE e.digest IN (\(try SQLiteSpool.digests(of: id, db))) AND e.key = ? ORDER BY e.id
                    """,
                arguments: [id]
            )
            .map { row in
                EventRecord(
                    number: row[0],
                    id: row[2],
                    source: row[1],
                    time: SQLiteSpool.time(row[3]) ?? "",
                    task: row[4],
                    accepted: SQLiteSpool.time(row[5]) ?? "",
                    data: SQLiteSpool.bytes(row, 6)?.string ?? ""
                )
            }
        }
    }

    private static func digests(of key: String, _ db: Database) throws -> String {
        try String.fetchAll(db, sql: "SELECT name FROM source").map { String(SQLiteSchema.digest($0, key)) }
            .joined(separator: ",")
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
        let states = filter.states.compactMap { DeliveryFilter.states.firstIndex(of: $0) }
        if !states.isEmpty { conditions.append("d.state IN (\(states.map(String.init).joined(separator: ",")))") }
        add("k.name = ?", filter.sink)
        add("r.name = ?", filter.rule)
        add("e.key = ?", filter.event)
        add("d.event = ?", filter.eventNumber)
        add("e.task = ?", filter.task)
        add("instr(d.answer, ?) > 0", filter.reason)
        add("coalesce(d.settled, e.accepted) < ?", filter.before?.nanoseconds)
        add("coalesce(d.settled, e.accepted) >= ?", filter.after?.nanoseconds)
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
