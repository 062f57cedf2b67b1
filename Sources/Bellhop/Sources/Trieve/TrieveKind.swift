import BellhopCore

/// The kinds of things that Trieve keeps for analytics: each is a table with routes of its own.
enum TrieveKind: String, CaseIterable, Sendable {
    case events, search, rag, recommendations, topics

    /// What rules see as `event.kind`.
    var eventKind: String {
        switch self {
        case .events: "event"
        case .search: "search"
        case .rag: "rag"
        case .recommendations: "recommendation"
        case .topics: "topic"
        }
    }

    /// The table's name for `POST /api/analytics` (Trieve's server, utils/clickhouse_query.rs).
    var table: String {
        switch self {
        case .events: "events"
        case .search: "search_queries"
        case .rag: "rag_queries"
        case .recommendations: "recommendations"
        case .topics: "topics"
        }
    }
}

/// Reads rows and events of Trieve in all their spellings.
struct TrieveRow {
    /// The row's id as the server wrote it: ClickHouse's order of UUIDs is not that of their texts, so it is only ever
    /// given back.
    let id: String
    /// `created_at` as the server takes it: `2024-08-08 18:25:40`.
    let createdAt: String
    let event: Event

    /// - `dataset`: the rows of others are refused; nil where only the server knows its id (a tracking id).
    /// - Throws: what is wrong with it.
    init(_ data: Bytes, source: String, kind: TrieveKind, dataset: String?) throws {
        let parser = JSONParser()
        let (id, time, normalized) = try parser.parse(data) { row in
            guard row.kind == .object else { throw TrieveRowError.notAnObject }
            let id = row["id"]?.leaf.text ?? ""
            guard !id.isEmpty else { throw TrieveRowError.noID }
            if let dataset, let own = row["dataset_id"]?.leaf.text, own.lowercased() != dataset.lowercased() {
                throw TrieveRowError.otherDataset(own)
            }
            guard let time = row["created_at"].flatMap({ EventFields.time($0.leaf) }) else {
                throw TrieveRowError.noTime
            }
            return (id, time, TrieveRow.normalized(row))
        }
        self.id = id
        self.createdAt = TrieveRow.text(time)
        self.event = Event(source: source, id: id, kind: kind.eventKind, time: time, data: data, normalized: normalized)
    }

    /// The form that the server's filters take: UTC, whole seconds, no zone.
    static func text(_ time: Timestamp) -> String {
        let text = time.formatted(.seconds)
        return "\(text.prefix(10)) \(text.dropFirst(11).dropLast())"
    }

    /// What rules see: metadata as JSON where it is a text of JSON, nothing for empty texts, times in RFC 3339.
    private static func normalized(_ row: JSON) -> Bytes {
        var members: [(name: String, value: String?)] = []
        row.forEachMember { name, value in
            let text = value.leaf.string
            switch name {
            case "metadata", "request_params":
                members.append((name, text.map { TrieveRow.inner($0) } ?? value.json))
            case "created_at", "updated_at":
                members.append(
                    (name, EventFields.time(value.leaf).map { JSONText.string($0.description) } ?? value.json)
                )
            case "user_id", "request_id", "request_type", "location":
                members.append((name, text == "" ? "null" : value.json))
            default: members.append((name, value.json))
            }
            return true
        }
        return Bytes(JSONText.object(members))
    }

    /// A text that holds JSON, as JSON.
    private static func inner(_ text: String) -> String {
        if text.isEmpty { return "null" }
        return (try? JSONParser().parse(Bytes(text)) { $0.json }) ?? JSONText.string(text)
    }
}

enum TrieveRowError: Error, Hashable, CustomStringConvertible {
    case notAnObject, noID, noTime
    case otherDataset(String)

    var description: String {
        switch self {
        case .notAnObject: "a row is a JSON object"
        case .noID: "the row has no 'id'"
        case .noTime: "the row has no 'created_at' that can be read"
        case .otherDataset(let id): "the row belongs to another dataset (\(id)); the server gave out what is not yours"
        }
    }
}
