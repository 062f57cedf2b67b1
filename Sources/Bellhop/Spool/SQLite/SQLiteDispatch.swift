import BellhopCore
import GRDB

/// What dispatchers ask of the spool: what is pending, and to remember what became of it.
extension SQLiteSpool {
    package func pending(
        sink: String,
        after cursor: Delivery.ID,
        limit: Int,
        byteLimit: Int
    ) async throws -> [PendingDelivery] {
        try await self.read { db in
            let statement = try db.cachedStatement(
                sql: """
                    SELECT d.id, r.name, d.lane, d.attempts, d.due, coalesce(d.retried, e.accepted), s.name, e.key, e.time, e.task, e.data, e.normalized, e.kind
                    FROM delivery d JOIN event e ON e.id = d.event JOIN rule r ON r.id = d.rule
                    JOIN source s ON s.id = e.source
                    WHERE d.state = 0 AND d.sink = (SELECT id FROM sink WHERE name = ?) AND d.id > ?
                    ORDER BY d.id LIMIT ?
                    """
            )
            let rows = try Row.fetchCursor(statement, arguments: [sink, cursor, limit])
            var found: [PendingDelivery] = []
            var bytes = 0
            while bytes < byteLimit, let row = try rows.next() {
                let event = SQLiteSpool.event(row, from: 6)
                bytes += event.data.count + (event.normalized?.count ?? 0)
                found.append(SQLiteSpool.pendingDelivery(row, event: event))
            }
            return found
        }
    }

    package func pending(
        sink: String,
        lanes: [SpoolLane],
        upTo cursor: Delivery.ID,
        limit: Int
    ) async throws -> [[PendingDelivery]] {
        try await self.read { db in
            let columns = """
                SELECT d.id, r.name, d.lane, d.attempts, d.due, coalesce(d.retried, e.accepted)
                FROM delivery d JOIN event e ON e.id = d.event JOIN rule r ON r.id = d.rule
                WHERE d.state = 0 AND d.sink = (SELECT id FROM sink WHERE name = ?) AND
                """
            let ofTask = try db.cachedStatement(
                sql: "\(columns) d.lane = ? AND d.id <= ? ORDER BY d.id LIMIT ?"
            )
            let single = try db.cachedStatement(sql: "\(columns) d.id = ?")
            return try lanes.map { lane in
                let rows =
                    switch lane {
                    case .task(let lane): try Row.fetchAll(ofTask, arguments: [sink, lane, cursor, limit])
                    case .single(let id): try Row.fetchAll(single, arguments: [sink, id])
                    }
                return rows.map { SQLiteSpool.pendingDelivery($0, event: nil) }
            }
        }
    }

    package func settle(_ settlements: [Settlement], now: Timestamp) async throws -> Set<Delivery.ID> {
        try await self.write { db in
            // A person may discard what is under way; only its arrival says more than that.
            let update = try db.cachedStatement(
                sql: """
                    UPDATE delivery SET state = :state, attempts = :attempts, due = :due, settled = :settled, answer = :answer
                    WHERE id = :id AND (state = 0 OR :state = 1)
                    """
            )
            let attempt = try db.cachedStatement(
                sql:
                    "INSERT OR REPLACE INTO attempt(delivery, at, number, reason) SELECT id, ?, ?, ? FROM delivery WHERE id = ?"
            )
            var refused: Set<Delivery.ID> = []
            for settlement in settlements {
                var due: Int64 = 0
                let state: Int
                let answer: String
                switch settlement.outcome {
                case .released: continue
                case .delivered(let text): (state, answer) = (SQLiteSchema.State.delivered, text)
                case .held(let reason): (state, answer) = (SQLiteSchema.State.held, reason)
                case .dead(let reason): (state, answer) = (SQLiteSchema.State.dead, reason)
                case .retry(let time, let reason), .postponed(let time, let reason):
                    (state, answer, due) = (SQLiteSchema.State.pending, reason, time.nanoseconds)
                }
                let settled = state == SQLiteSchema.State.pending ? nil : settlement.at.nanoseconds
                try update.execute(
                    arguments: [
                        "state": state, "attempts": settlement.attempt, "due": due, "settled": settled,
                        "answer": answer,
                        "id": settlement.id,
                    ]
                )
                if db.changesCount == 0 { refused.insert(settlement.id) }
                // Of what was postponed there was no attempt, of what was delivered the delivery itself tells.
                if case .postponed = settlement.outcome { continue }
                guard state != SQLiteSchema.State.delivered else { continue }
                try attempt.execute(arguments: [settlement.at.nanoseconds, settlement.attempt, answer, settlement.id])
            }
            return refused
        }
    }

    /// Reads id, rule, lane, attempts, due and accepted from the first six columns.
    private static func pendingDelivery(_ row: Row, event: Event?) -> PendingDelivery {
        PendingDelivery(
            id: row[0],
            rule: row[1],
            lane: row[2],
            attempts: row[3],
            due: Timestamp(nanoseconds: row[4]),
            accepted: Timestamp(nanoseconds: row[5]),
            event: event
        )
    }
}
