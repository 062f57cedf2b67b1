import BellhopCore
import GRDB

/// The tables, built for speed of appending: sequential integer keys, an event's bytes once however many deliveries it
/// has, names as small integers, and no index on text.
enum SQLiteSchema {
    /// Delivery states as stored.
    enum State {
        static let pending = 0
        static let delivered = 1
        static let dead = 2
        static let discarded = 3
        static let held = 4
    }

    static var migrator: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("1: events, deliveries, attempts") { db in
            try db.execute(
                sql: """
                    CREATE TABLE source(
                        id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE,
                        position TEXT, horizon INTEGER NOT NULL DEFAULT 0
                    );
                    CREATE TABLE sink(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
                    CREATE TABLE rule(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);

                    -- Times are nanoseconds since 1970. `digest` is 64 bits of the key's hash: the key itself is
                    -- compared only where digests are equal, and needs no index.
                    CREATE TABLE event(
                        id INTEGER PRIMARY KEY,
                        source INTEGER NOT NULL REFERENCES source(id),
                        digest INTEGER NOT NULL, key TEXT NOT NULL,
                        time INTEGER NOT NULL, task TEXT, accepted INTEGER NOT NULL,
                        data BLOB NOT NULL, normalized BLOB
                    );
                    CREATE INDEX eventDigest ON event(digest);

                    -- `lane` stands for the event's source and task; `answer` is the receiver's, or the last reason.
                    CREATE TABLE delivery(
                        id INTEGER PRIMARY KEY,
                        event INTEGER NOT NULL REFERENCES event(id) ON DELETE CASCADE,
                        rule INTEGER NOT NULL REFERENCES rule(id),
                        sink INTEGER NOT NULL REFERENCES sink(id),
                        lane INTEGER,
                        state INTEGER NOT NULL DEFAULT 0 CHECK(state BETWEEN 0 AND 4),
                        attempts INTEGER NOT NULL DEFAULT 0,
                        due INTEGER NOT NULL DEFAULT 0,
                        settled INTEGER, answer TEXT,
                        -- When a person asked for another try: its patience counts from then.
                        retried INTEGER
                    );
                    CREATE INDEX deliveryEvent ON delivery(event);
                    CREATE INDEX deliveryPending ON delivery(sink, id) WHERE state = 0;
                    CREATE INDEX deliveryKept ON delivery(state, id) WHERE state IN (2, 4);

                    -- Attempts that failed; of one that succeeded the delivery itself tells everything.
                    CREATE TABLE attempt(
                        delivery INTEGER NOT NULL REFERENCES delivery(id) ON DELETE CASCADE,
                        at INTEGER NOT NULL, number INTEGER NOT NULL, reason TEXT NOT NULL,
                        PRIMARY KEY(delivery, at)
                    ) WITHOUT ROWID;

                    CREATE TABLE rejected(
                        id INTEGER PRIMARY KEY,
                        source INTEGER NOT NULL REFERENCES source(id),
                        digest INTEGER NOT NULL, at INTEGER NOT NULL, reason TEXT NOT NULL, data BLOB NOT NULL
                    );
                    CREATE INDEX rejectedDigest ON rejected(digest);
                    """
            )
        }
        migrator.registerMigration("2: pending deliveries by lane") { db in
            try db.execute(
                sql: "CREATE INDEX deliveryLane ON delivery(sink, lane, id) WHERE state = 0 AND lane IS NOT NULL"
            )
        }
        migrator.registerMigration("3: kinds of events") { db in
            try db.execute(sql: "ALTER TABLE event ADD COLUMN kind TEXT")
        }
        return migrator
    }

    /// FNV-1a, 64 bits. Two keys with one digest are told apart by the keys, so its quality decides speed only.
    static func digest(_ parts: String...) -> Int64 {
        var hash = FNV1a()
        for part in parts {
            hash.add(part.utf8)
            hash.add(0xFF)
        }
        return Int64(bitPattern: hash.value)
    }

    static func digest(_ bytes: Bytes) -> Int64 {
        bytes.withUnsafeBytes { Int64(bitPattern: FNV1a($0).value) }
    }
}
