import BellhopCore
import Foundation
import GRDB

/// The small integers that stand for names in rows.
struct Names: Sendable {
    var sources: [String: Int64] = [:]
    var sinks: [String: Int64] = [:]
    var rules: [String: Int64] = [:]
}

/// One batch going into the spool, inside one transaction.
struct SQLiteAppend {
    private(set) var nextEvent: Int64
    private(set) var nextDelivery: Int64
    private(set) var names: Names

    private let db: Database
    private let now: Timestamp

    init(_ db: Database, _ nextEvent: Int64, _ nextDelivery: Int64, _ names: Names, now: Timestamp) {
        self.db = db
        self.nextEvent = nextEvent
        self.nextDelivery = nextDelivery
        self.names = names
        self.now = now
    }

    mutating func run(_ batch: Batch, _ routes: [[Route]]) throws -> Appended {
        let source = try self.number(batch.source, in: "source", \.sources)
        var new = 0
        var deliveries: [String: [PendingDelivery]] = [:]
        for (event, routes) in zip(batch.events, routes) {
            let digest = SQLiteSchema.digest(batch.source, event.id)
            if try self.isKnown(event, source: source, digest: digest) { continue }
            let row = self.nextEvent
            self.nextEvent += 1
            new += 1
            try self.insert(event, as: row, source: source, digest: digest)
            let lane = event.task.map { SQLiteSchema.digest(batch.source, $0) }
            for route in routes {
                let id = try self.insert(route, of: row, lane: lane)
                deliveries[route.sink, default: []].append(
                    PendingDelivery(id: id, rule: route.rule, lane: lane, accepted: self.now, event: event)
                )
            }
        }
        let rejected = try batch.rejected.count { try self.insert($0, source: source) }
        if let checkpoint = batch.checkpoint {
            try self.db.cachedStatement(sql: "UPDATE source SET position = ?, horizon = ? WHERE id = ?")
                .execute(arguments: [checkpoint.position, checkpoint.horizon.nanoseconds, source])
        }
        let receipt = Receipt(new: new, known: batch.events.count - new)
        return Appended(receipt: receipt, rejected: rejected, deliveries: deliveries)
    }

    private func isKnown(_ event: Event, source: Int64, digest: Int64) throws -> Bool {
        let statement = try self.db.cachedStatement(
            sql: "SELECT 1 FROM event WHERE digest = ? AND source = ? AND key = ?"
        )
        return try Row.fetchOne(statement, arguments: [digest, source, event.id]) != nil
    }

    private func insert(_ event: Event, as row: Int64, source: Int64, digest: Int64) throws {
        try self.db
            .cachedStatement(
                sql: """
                    INSERT INTO event(id, source, digest, key, time, task, accepted, data, normalized, kind)
                    VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                    """
            )
            .execute(
                arguments: [
                    row, source, digest, event.id, event.time.nanoseconds, event.task, self.now.nanoseconds,
                    self.data(event.data), event.normalized.map(self.data), event.kind,
                ]
            )
    }

    private mutating func insert(_ route: Route, of event: Int64, lane: Int64?) throws -> Delivery.ID {
        let id = self.nextDelivery
        self.nextDelivery += 1
        let rule = try self.number(route.rule, in: "rule", \.rules)
        let sink = try self.number(route.sink, in: "sink", \.sinks)
        try self.db.cachedStatement(sql: "INSERT INTO delivery(id, event, rule, sink, lane) VALUES(?, ?, ?, ?, ?)")
            .execute(arguments: [id, event, rule, sink, lane])
        return id
    }

    /// - Returns: false when the same bytes were rejected before, as an overlap reads them again and again.
    private func insert(_ rejected: RejectedEvent, source: Int64) throws -> Bool {
        let digest = SQLiteSchema.digest(rejected.data)
        let known = try Bool.fetchOne(
            self.db.cachedStatement(sql: "SELECT 1 FROM rejected WHERE digest = ? AND source = ? AND data = ?"),
            arguments: [digest, source, self.data(rejected.data)]
        )
        guard known == nil else { return false }
        try self.db
            .cachedStatement(sql: "INSERT INTO rejected(source, digest, at, reason, data) VALUES(?, ?, ?, ?, ?)")
            .execute(
                arguments: [source, digest, self.now.nanoseconds, rejected.reason, self.data(rejected.data)]
            )
        return true
    }

    private mutating func number(
        _ name: String,
        in table: String,
        _ known: WritableKeyPath<Names, [String: Int64]>
    ) throws -> Int64 {
        if let number = self.names[keyPath: known][name] { return number }
        try self.db.execute(sql: "INSERT OR IGNORE INTO \(table)(name) VALUES(?)", arguments: [name])
        guard let number = try Int64.fetchOne(self.db, sql: "SELECT id FROM \(table) WHERE name = ?", arguments: [name])
        else { throw DatabaseError(message: "the name \(name) was not stored") }
        self.names[keyPath: known][name] = number
        return number
    }

    /// Lends the bytes to SQLite, which makes its own copy.
    private func data(_ bytes: Bytes) -> Data {
        Data(
            bytesNoCopy: UnsafeMutableRawPointer(mutating: bytes.unsafeStart),
            count: bytes.count,
            deallocator: .custom { _, _ in withExtendedLifetime(bytes) {} }
        )
    }
}
