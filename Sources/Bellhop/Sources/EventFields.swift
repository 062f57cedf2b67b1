import BellhopCore

/// Where an event's id, time and task stand in its JSON, for sources of events of any shape.
struct EventFields: Sendable {
    private let id: FieldPath
    private let time: FieldPath
    private let task: FieldPath

    /// Reads the options `id`, `time` and `task`; by default Relay Pro's fields.
    init(_ options: OptionReader, id: String = "event_id", time: String = "timestamp", task: String = "task.id") {
        func path(_ key: String, _ fallback: String) -> FieldPath {
            do {
                return try FieldPath(dotted: options.string(key, default: fallback))
            } catch {
                options.diagnostics.error("'\(key)': \(error) (\(options.owner))", at: options.place(of: key))
                return FieldPath([fallback])
            }
        }
        (self.id, self.time, self.task) = (path("id", id), path("time", time), path("task", task))
    }

    /// Reads an event.
    ///
    /// - `unnamed`: the id of one that has none.
    ///
    /// - Throws: what is wrong with it.
    func event(_ data: Bytes, source: String, now: Timestamp, unnamed: () -> String) throws -> Event {
        try JSONParser().parse(data) { json in
            guard json.kind == .object else { throw EventFieldsError.notAnObject }
            let id = json[self.id]?.leaf.text ?? ""
            let task = json[self.task]?.leaf.text ?? ""
            return Event(
                source: source,
                id: id.isEmpty ? unnamed() : id,
                time: json[self.time].flatMap { EventFields.time($0.leaf) } ?? now,
                task: task.isEmpty ? nil : task,
                data: data
            )
        }
    }

    /// A text like RFC 3339, or a number of seconds or milliseconds since 1970.
    static func time(_ leaf: JSONLeaf) -> Timestamp? {
        if let time = leaf.utf8.flatMap({ Timestamp(utf8: $0) }) { return time }
        guard let number = leaf.number?.double, abs(number) < 9e12 else { return nil }
        let seconds = abs(number) >= 1e11 ? number / 1000 : number
        return abs(seconds) < 9e9 ? Timestamp(nanoseconds: Int64(seconds * 1e9)) : nil
    }
}

enum EventFieldsError: Error, CustomStringConvertible {
    case notAnObject

    var description: String { "an event is a JSON object" }
}
