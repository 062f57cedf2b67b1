import BellhopCore
import Synchronization

/// What a Trieve server does beside its documentation (shared/facts/apis.md §2, from the server's source).
package enum TrieveQuirk: String, CaseIterable, Sendable {
    /// `POST /api/analytics` is not there yet (before May 2025).
    case oldServer = "old-server"
    /// Rows can be read 20 s after the time they carry.
    case late
    /// Pages of the older route lose and repeat rows of one second.
    case unstablePages = "unstable-pages"
    /// Now and then HTTP 400 `Could not get database connection`.
    case busyDatabase = "busy-database"
    /// Now and then HTTP 408 after the server's own limit.
    case slow

    package var explanation: String {
        switch self {
        case .oldServer: "POST /api/analytics is not there: only the older list, ten rows a page"
        case .late: "rows show up 20 s after the time they carry"
        case .unstablePages: "pages of the older list lose and repeat rows of one second"
        case .busyDatabase: "every seventh request fails with a passing HTTP 400"
        case .slow: "every ninth request fails with HTTP 408"
        }
    }
}

/// A loopback Trieve server: both list routes, and one event by its id.
package final class TrieveSimulator: Sendable {
    package struct Row: Sendable {
        package let id: String
        /// Whole seconds.
        package let createdAt: Timestamp
        package let dataset: String
        package let number: Int
        package let table: String

        package init(id: String, createdAt: Timestamp, dataset: String, number: Int, table: String = "events") {
            self.id = id
            self.createdAt = createdAt
            self.dataset = dataset
            self.number = number
            self.table = table
        }
    }

    package struct Settings: Sendable {
        package var dataset = "7b0d6b7e-3c6a-4c55-9b5c-0d6d5b9a1f00"
        package var apiKey = "tr-key123"
        package var quirks: Set<TrieveQuirk> = []

        package init() {}
    }

    package let settings: Settings
    /// In the order of ClickHouse.
    package let rows: [Row]
    private let now: @Sendable () -> Timestamp
    private let requests = Mutex(0)

    /// - `now`: the server's clock; rows of its future are not there yet.
    package init(_ settings: Settings, rows: [Row], now: @escaping @Sendable () -> Timestamp) {
        self.settings = settings
        self.rows = rows.map { (key: Self.order($0.id), row: $0) }
            .sorted { ($0.row.createdAt, $0.key) < ($1.row.createdAt, $1.key) }.map(\.row)
        self.now = now
    }

    /// So many events, one in `pace` seconds on average, with many in one second now and then; and some of another
    /// dataset among them.
    package static func rows(
        _ count: Int,
        from start: Timestamp,
        pace: Double,
        dataset: String,
        seed: UInt64 = 1
    ) -> [Row] {
        var random = SeededGenerator(seed: seed)
        var rows: [Row] = []
        var second = start.seconds
        while rows.count(where: { $0.dataset == dataset }) < count {
            // Every now and then forty in one second, as an import makes them.
            let burst = Int.random(in: 0..<200, using: &random) == 0 ? 40 : 1
            for _ in 0..<burst {
                let other = Int.random(in: 0..<10, using: &random) == 0
                let id = (0..<4).map { _ in String(UInt32.random(in: 0...(.max), using: &random), radix: 16) }
                    .map { String(repeating: "0", count: 8 - $0.count) + $0 }.joined()
                let uuid = [8, 4, 4, 4, 12].reduce(into: (text: "", rest: id[...])) { made, length in
                    made.text += (made.text.isEmpty ? "" : "-") + made.rest.prefix(length)
                    made.rest = made.rest.dropFirst(length)
                }
                let owner = other ? "11111111-2222-3333-4444-555555555555" : dataset
                rows.append(
                    Row(id: uuid.text, createdAt: Timestamp(seconds: second), dataset: owner, number: rows.count)
                )
            }
            second += Int64(Double.random(in: 0...(2 * pace), using: &random))
        }
        return rows
    }

    /// The ids of the dataset that can be read by now.
    package var ids: Set<String> { Set(self.visible.filter { $0.dataset == self.settings.dataset }.map(\.id)) }

    private var visible: [Row] {
        let now = self.now()
        let delay: Duration = self.settings.quirks.contains(.late) ? .seconds(20) : .zero
        return self.rows.filter { $0.createdAt + delay <= now }
    }

    package func answer(_ request: SimulatedRequest) -> SimulatedAnswer {
        let number = self.requests.withLock { count in
            count += 1
            return count
        }
        if self.settings.quirks.contains(.busyDatabase), number % 7 == 0 {
            return Self.error(400, "Could not get database connection")
        }
        if self.settings.quirks.contains(.slow), number % 9 == 0 { return Self.error(408, "Request timed out") }
        guard let dataset = request.header("tr-dataset"), !dataset.isEmpty else {
            return Self.error(401, "Unauthorized")
        }
        let key = request.header("authorization") ?? ""
        guard dataset == self.settings.dataset else { return Self.error(404, "Not Found: Could not find dataset") }
        guard key == self.settings.apiKey || key == "Bearer \(self.settings.apiKey)" else {
            return Self.error(key.contains("read") ? 403 : 401, key.contains("read") ? "Forbidden" : "Unauthorized")
        }
        let body = Bytes(String(decoding: request.body, as: UTF8.self))
        let prefix = "/api/analytics/events/"
        switch (request.method, request.path) {
        case ("POST", "/api/analytics") where !self.settings.quirks.contains(.oldServer): return self.keyset(body)
        case ("POST", "/api/analytics/events/all"): return self.list(body, number)
        case ("POST", "/api/analytics/search"), ("POST", "/api/analytics/rag"),
            ("POST", "/api/analytics/recommendations"):
            return self.details(body)
        case ("GET", let path) where path.hasPrefix(prefix): return self.one(String(path.dropFirst(prefix.count)))
        default: return SimulatedAnswer(status: 404)
        }
    }

    private static func error(_ status: Int, _ message: String) -> SimulatedAnswer {
        SimulatedAnswer(status: status, body: JSONText.object(["message": JSONText.string(message)]))
    }

    // MARK: - Routes

    private func keyset(_ body: Bytes) -> SimulatedAnswer {
        let query = try? JSONParser().parse(body) { json -> (String, String, String?, String?, Int, Bool)? in
            var condition: (op: String, value: String, id: String?)?
            json["filter_conditions"]?.forEachElement { element in
                var id: String?
                element["or_filter"]?.forEachElement { other in
                    other["and_filter"]?.forEachElement { inner in
                        id = inner["value"]?.leaf.text
                        return true
                    }
                    return true
                }
                condition = (element["operator"]?.leaf.text ?? "", element["value"]?.leaf.text ?? "", id)
                return true
            }
            var limit = 20
            if case .integer(let number) = json["limit"]?.leaf.number { limit = Int(number) }
            // Without it the server's own filter by dataset is lost.
            let isFiltered = json["filter_conditions"]?.kind == .array
            let table = json["table"]?.leaf.text ?? ""
            return (table, condition?.op ?? ">=", condition?.value, condition?.id, limit, isFiltered)
        }
        guard let (table, op, value, id, limit, isFiltered) = query ?? nil, (1...10_000).contains(limit),
            Self.tables.contains(table)
        else {
            return Self.error(400, "Json Deserialization Error")
        }
        guard let start = value.map(Self.filterTime) ?? Timestamp.distantPast else {
            return Self.error(500, "Cannot parse string '\(value ?? "")' as DateTime")
        }
        let rows = self.visible
            .filter { $0.table == table && (!isFiltered || $0.dataset == self.settings.dataset) }
            .filter { row in
                if op == ">=" { return row.createdAt >= start }
                return row.createdAt > start
                    || (row.createdAt == start && id.map { Self.order(row.id) > Self.order($0) } ?? false)
            }
        return SimulatedAnswer(body: JSONText.array(rows.prefix(limit).map { Self.clickhouse($0) }))
    }

    private static let tables = ["events", "search_queries", "rag_queries", "recommendations", "topics"]

    /// One row of another table, by its id.
    private func details(_ body: Bytes) -> SimulatedAnswer {
        let id = try? JSONParser().parse(body) { json in (json["request_id"] ?? json["topic_id"])?.leaf.text }
        guard let row = self.visible.first(where: { $0.id == id && $0.table != "events" }) else {
            return Self.error(500, "Error fetching query")
        }
        return SimulatedAnswer(body: Self.clickhouse(row))
    }

    /// ClickHouse compares UUIDs by their second half first.
    private static func order(_ id: String) -> String {
        let plain = id.replacing("-", with: "")
        return String(plain.suffix(16) + plain.prefix(16))
    }

    /// What ClickHouse takes for a DateTime: no zone, no fraction, all digits.
    private static func filterTime(_ text: String) -> Timestamp? {
        guard text.utf8.count == 19, !text.contains("Z"), !text.contains("+") else { return nil }
        return Timestamp(text)
    }

    private func list(_ body: Bytes, _ number: Int) -> SimulatedAnswer {
        var from = Timestamp.distantPast
        var to = Timestamp.distantFuture
        var page = 1
        var isBad = false
        try? JSONParser().parse(body) { json in
            if let text = json["filter"]?["date_range"]?["gte"]?.leaf.text {
                if let time = Self.filterTime(text) { from = time } else { isBad = true }
            }
            if let text = json["filter"]?["date_range"]?["lt"]?.leaf.text {
                if let time = Self.filterTime(text) { to = time } else { isBad = true }
            }
            if case .integer(let number) = json["page"]?.leaf.number { page = Int(number) }
        }
        if isBad { return Self.error(500, "Error fetching query") }
        var rows = self.visible.filter {
            $0.table == "events" && $0.dataset == self.settings.dataset && $0.createdAt >= from && $0.createdAt < to
        }
        var random = SeededGenerator(seed: UInt64(number))
        // Newest first, and no order among those of one second.
        let isUnstable = self.settings.quirks.contains(.unstablePages) && number % 3 != 0
        let tie = Dictionary(
            uniqueKeysWithValues: rows.map {
                ($0.id, isUnstable ? Int.random(in: 0..<1_000_000, using: &random) : $0.number)
            }
        )
        rows.sort { ($0.createdAt, tie[$0.id] ?? 0) > ($1.createdAt, tie[$1.id] ?? 0) }
        let part = rows.dropFirst(max(0, page - 1) * 10).prefix(10)
        return SimulatedAnswer(body: JSONText.object(["events": JSONText.array(part.map { Self.eventData($0) })]))
    }

    private func one(_ id: String) -> SimulatedAnswer {
        guard id.split(separator: "-").map(\.count) == [8, 4, 4, 4, 12] else {
            return Self.error(400, "UUID parsing failed: invalid character")
        }
        guard let row = self.visible.first(where: { $0.id == id && $0.dataset == self.settings.dataset }) else {
            return Self.error(500, "Error fetching query")
        }
        return SimulatedAnswer(body: Self.eventData(row))
    }

    // MARK: - Rows

    private static func metadata(_ row: Row) -> String {
        "{\"plan\":\"\(row.number % 2 == 0 ? "pro" : "free")\",\"n\":\(row.number)}"
    }

    /// `EventData` of the OpenAPI text, with the server's own idea of a time.
    package static func eventData(_ row: Row) -> String {
        let time = row.createdAt.formatted(.seconds)
        // `OffsetDateTime::to_string()`: the hour is not padded, and the offset has seconds.
        let hour = Int(time.dropFirst(11).prefix(2)) ?? 0
        let text = "\(time.prefix(10)) \(hour)\(time.dropFirst(13).prefix(6)).0 +00:00:00"
        return JSONText.object([
            ("id", JSONText.string(row.id)), ("event_type", "\"purchase\""), ("event_name", "\"Purchased\""),
            ("request_id", "\"00000000-0000-0000-0000-000000000000\""), ("request_type", "\"search\""),
            ("items", #"["{\"tracking_id\":\"a\",\"revenue\":9.5}"]"#), ("metadata", self.metadata(row)),
            ("user_id", "null"), ("is_conversion", "true"), ("dataset_id", JSONText.string(row.dataset)),
            ("created_at", JSONText.string(text)), ("updated_at", JSONText.string(text)),
        ])
    }

    /// A row of the table, as `POST /api/analytics` gives it out.
    private static func clickhouse(_ row: Row) -> String {
        let time = row.createdAt.formatted(.seconds)
        let text = JSONText.string("\(time.prefix(10)) \(time.dropFirst(11).dropLast())")
        guard row.table == "events" else {
            return JSONText.object([
                ("id", JSONText.string(row.id)), ("query", "\"red shoes\""), ("user_message", "\"red shoes?\""),
                ("request_params", JSONText.string(self.metadata(row))), ("latency", "12.5"), ("results", "[]"),
                ("dataset_id", JSONText.string(row.dataset)), ("created_at", text), ("user_id", "\"\""),
            ])
        }
        return JSONText.object([
            ("id", JSONText.string(row.id)), ("event_type", "\"purchase\""), ("event_name", "\"Purchased\""),
            ("items", #"["{\"tracking_id\":\"a\",\"revenue\":9.5}"]"#),
            ("metadata", JSONText.string(self.metadata(row))),
            ("user_id", "\"\""), ("is_conversion", "true"), ("request_id", "\"\""),
            ("dataset_id", JSONText.string(row.dataset)), ("created_at", text), ("updated_at", text),
            ("request_type", "\"search\""), ("location", "\"\""),
        ])
    }
}
