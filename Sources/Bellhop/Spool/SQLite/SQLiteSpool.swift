import BellhopCore
import Foundation
import GRDB
import Synchronization

/// The spool in one SQLite file: WAL, every commit on disk before it counts, one connection.
package struct SQLiteSpool: Spool {
    /// The file inside a data folder.
    package static func path(in folder: String) -> String { "\(folder)/spool.db" }

    let path: String
    let database: DatabaseQueue
    let maxSize: Int64
    private let numbers: Numbers

    /// What the next rows are called. Kept in memory so that numbers grow also after the newest rows were pruned.
    private final class Numbers: Sendable {
        struct Next: Sendable {
            var event: Int64 = 1
            var delivery: Int64 = 1
            var names = Names()
        }
        let next = Mutex(Next())
    }

    /// Opens the spool in a folder, and makes it where it is new.
    package init(folder: String, maxSize: Int64 = Retention.default.maxSize) throws {
        try SQLiteSpool.makeFolder(folder)
        let path = SQLiteSpool.path(in: folder)
        // Events name people and rooms: nobody else needs to read them.
        let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw SpoolError.notWritable(path: path, reason: SQLiteSpool.lastError) }
        Foundation.close(descriptor)
        try self.init(path: path, maxSize: maxSize)
    }

    /// Makes the data folder where it is missing.
    package static func makeFolder(_ folder: String) throws {
        do {
            try FileManager.default.createDirectory(
                atPath: folder,
                withIntermediateDirectories: true,
                attributes: [.posixPermissions: 0o700]
            )
        } catch {
            throw SpoolError.notWritable(path: folder, reason: SQLiteSpool.lastError)
        }
    }

    /// An empty spool in memory, for tests: the real type, not a fake.
    package static func inMemory() throws -> SQLiteSpool { try SQLiteSpool(path: ":memory:", maxSize: .max) }

    private init(path: String, maxSize: Int64) throws {
        var configuration = GRDB.Configuration()
        configuration.label = "spool"
        configuration.busyMode = .timeout(10)
        configuration.foreignKeysEnabled = true
        configuration.prepareDatabase { db in
            try db.execute(
                sql: """
                    PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -4000;
                    PRAGMA journal_size_limit = 67108864; PRAGMA temp_store = MEMORY;
                    """
            )
        }
        self.path = path
        self.maxSize = maxSize
        self.numbers = Numbers()
        do {
            self.database = try DatabaseQueue(path: path, configuration: configuration)
            let migrator = SQLiteSchema.migrator
            guard try self.database.read({ try !migrator.hasBeenSuperseded($0) }) else {
                throw SpoolError.newer(path: path)
            }
            try migrator.migrate(self.database)
            let numbers = self.numbers
            try self.database.read { db in
                let event = try Int64.fetchOne(db, sql: "SELECT max(id) FROM event") ?? 0
                let delivery = try Int64.fetchOne(db, sql: "SELECT max(id) FROM delivery") ?? 0
                numbers.next.withLock { next in
                    next.event = event + 1
                    next.delivery = delivery + 1
                }
            }
        } catch {
            throw SQLiteSpool.translate(error, path)
        }
    }

    package func checkpoint(of source: String) async throws -> Checkpoint? {
        try await self.read { db in
            let row = try Row.fetchOne(
                db,
                sql: "SELECT position, horizon FROM source WHERE name = ?",
                arguments: [source]
            )
            guard let row, let position = row["position"] as String? else { return nil }
            return Checkpoint(position: position, horizon: Timestamp(nanoseconds: row["horizon"]))
        }
    }

    package func append(_ batch: Batch, routes: [[Route]], now: Timestamp) async throws -> Appended {
        let numbers = self.numbers
        let (path, maxSize) = (self.path, self.maxSize)
        let before = numbers.next.withLock { $0 }
        do {
            let (appended, after) = try await self.write { db in
                // Only appending is limited: what settles and prunes must go on, or there would never be room again.
                let isEmpty = batch.events.isEmpty && batch.rejected.isEmpty
                if !isEmpty, try SQLiteSpool.used(db) > maxSize { throw SpoolError.full(path: path) }
                var append = SQLiteAppend(db, before.event, before.delivery, before.names, now: now)
                let appended = try append.run(batch, routes)
                return (
                    appended, Numbers.Next(event: append.nextEvent, delivery: append.nextDelivery, names: append.names)
                )
            }
            // Only now: a transaction that was rolled back has used no numbers and made no names.
            numbers.next.withLock { $0 = after }
            return appended
        }
    }

    package func events(of deliveries: [Delivery.ID]) async throws -> [Delivery.ID: Event] {
        try await self.read { db in
            let statement = try db.cachedStatement(
                sql: """
                    SELECT s.name, e.key, e.time, e.task, e.data, e.normalized, e.kind
                    FROM delivery d JOIN event e ON e.id = d.event JOIN source s ON s.id = e.source WHERE d.id = ?
                    """
            )
            var found: [Delivery.ID: Event] = [:]
            for id in deliveries {
                guard let row = try Row.fetchOne(statement, arguments: [id]) else { continue }
                found[id] = SQLiteSpool.event(row, from: 0)
            }
            return found
        }
    }

    package func close() async throws {
        try self.database.close()
    }
}

extension SQLiteSpool {
    /// Bytes of the file that hold something.
    static func used(_ db: Database) throws -> Int64 {
        func pragma(_ name: String) throws -> Int64 { try Int64.fetchOne(db, sql: "PRAGMA \(name)") ?? 0 }
        return try (pragma("page_count") - pragma("freelist_count")) * pragma("page_size")
    }

    func read<Value: Sendable>(_ body: @escaping @Sendable (Database) throws -> Value) async throws -> Value {
        do { return try await self.database.read(body) } catch { throw SQLiteSpool.translate(error, self.path) }
    }

    func write<Value: Sendable>(_ body: @escaping @Sendable (Database) throws -> Value) async throws -> Value {
        do { return try await self.database.write(body) } catch { throw SQLiteSpool.translate(error, self.path) }
    }

    /// Reads source name, key, time, task, data, normalized and kind from seven columns.
    static func event(_ row: Row, from column: Int) -> Event {
        Event(
            source: row[column],
            id: row[column + 1],
            kind: row[column + 6],
            time: Timestamp(nanoseconds: row[column + 2]),
            task: row[column + 3],
            data: self.bytes(row, column + 4) ?? Bytes(),
            normalized: self.bytes(row, column + 5)
        )
    }

    static func bytes(_ row: Row, _ column: Int) -> Bytes? {
        guard !row.hasNull(atIndex: column) else { return nil }
        return try? row.withUnsafeData(atIndex: column) { $0?.withUnsafeBytes { Bytes(copying: $0) } }
    }

    static var lastError: String { String(cString: strerror(errno)) }

    static func translate(_ error: any Error, _ path: String) -> any Error {
        guard let error = error as? DatabaseError else { return error }
        let reason = error.message ?? "SQLite error \(error.resultCode.rawValue)"
        return switch error.resultCode {
        case .SQLITE_FULL: SpoolError.full(path: path)
        case .SQLITE_CORRUPT, .SQLITE_NOTADB: SpoolError.damaged(path: path, reason: reason)
        case .SQLITE_READONLY, .SQLITE_CANTOPEN, .SQLITE_PERM: SpoolError.notWritable(path: path, reason: reason)
        default: SpoolError.failed(path: path, reason: reason)
        }
    }
}
