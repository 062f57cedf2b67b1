import BellhopCore
import Crypto

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
    /// - `id`: what it is known by, whatever its fields say.
    /// - `unnamed`: the id of one that has none.
    ///
    /// - Throws: what is wrong with it.
    func event(
        _ data: Bytes,
        source: String,
        id: String? = nil,
        kind: String? = nil,
        now: Timestamp,
        unnamed: () -> String
    ) throws -> Event {
        try JSONParser().parse(data) { json in
            guard json.kind == .object else { throw EventFieldsError.notAnObject }
            let id = id ?? json[self.id]?.leaf.text.eventID
            return Event(
                source: source,
                id: id ?? unnamed(),
                kind: kind,
                time: json[self.time].flatMap { Timestamp($0.leaf) } ?? now,
                task: self.task(in: json),
                data: data
            )
        }
    }

    func task(in json: JSON) -> String? {
        let task = json[self.task]?.leaf.text ?? ""
        return task.isEmpty ? nil : task
    }
}

extension String {
    /// As an event's id, which stands in lists and commands: one that is too long is known by its hash. Nil for an empty one.
    var eventID: String? {
        if self.isEmpty { return nil }
        return self.utf8.count > 200 ? Bytes(self).contentID : self
    }
}

extension Bytes {
    /// What an event without an id is known by.
    var contentID: String {
        self.withUnsafeBytes { bytes in
            var hash = SHA256()
            hash.update(bufferPointer: bytes)
            return "sha256-" + hash.finalize().prefix(16).hex
        }
    }
}

enum EventFieldsError: Error, CustomStringConvertible {
    case notAnObject

    var description: String { "an event is a JSON object" }
}
