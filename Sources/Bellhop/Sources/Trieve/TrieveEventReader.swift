import BellhopCore

/// Reads rows and events of Trieve in all their spellings.
struct TrieveEventReader: Sendable {
    let source: String
    let kind: TrieveKind
    /// The rows of others are refused; nil where only the server knows its id (a tracking id).
    let dataset: String?

    /// - Throws: ``TrieveRowError`` or `JSONError`.
    func event(_ data: Bytes) throws -> Event {
        try JSONParser().parse(data) { row in
            guard row.kind == .object else { throw TrieveRowError.notAnObject }
            let id = row["id"]?.leaf.text ?? ""
            guard !id.isEmpty else { throw TrieveRowError.noID }
            if let dataset, let own = row["dataset_id"]?.leaf.text, own.lowercased() != dataset.lowercased() {
                throw TrieveRowError.otherDataset(own)
            }
            guard let time = row["created_at"].flatMap({ Timestamp($0.leaf) }) else { throw TrieveRowError.noTime }
            return Event(
                source: self.source,
                id: id,
                kind: self.kind.eventKind,
                time: time,
                data: data,
                normalized: TrieveEventReader.normalized(row)
            )
        }
    }

    /// What rules see: metadata as JSON where it is a text of JSON, nothing for empty texts, times in RFC 3339.
    private static func normalized(_ row: JSON) -> Bytes {
        var members: [(name: String, value: String?)] = []
        row.forEachMember { name, value in
            let text = value.leaf.string
            switch name {
            case "metadata", "request_params":
                members.append((name, text.map { TrieveEventReader.inner($0) } ?? value.json))
            case "created_at", "updated_at":
                members.append(
                    (name, Timestamp(value.leaf).map { JSONText.string($0.description) } ?? value.json)
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

/// What names a row, without judging the rest of it.
struct TrieveKey: Hashable, Comparable {
    /// As the server takes it in a filter: `2024-08-08 18:25:40`.
    let createdAt: String
    /// As the server wrote it: ClickHouse's order of UUIDs is not that of their texts, so it is only ever given back.
    let id: String

    /// Nil for a row without an id or a time.
    init?(_ row: Bytes) {
        let parsed = try? JSONParser().parse(row) { row in
            (id: row["id"]?.leaf.text ?? "", time: row["created_at"].flatMap { Timestamp($0.leaf) })
        }
        guard let parsed, !parsed.id.isEmpty, let time = parsed.time else { return nil }
        self.createdAt = TrieveKey.text(time)
        self.id = parsed.id
    }

    static func < (left: TrieveKey, right: TrieveKey) -> Bool {
        (left.createdAt, left.id) < (right.createdAt, right.id)
    }

    /// The form that the server's filters take: UTC, whole seconds, no zone.
    static func text(_ time: Timestamp) -> String {
        let text = time.formatted(.seconds)
        return "\(text.prefix(10)) \(text.dropFirst(11).dropLast())"
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
