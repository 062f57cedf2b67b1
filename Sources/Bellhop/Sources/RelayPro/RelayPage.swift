import BellhopCore

/// One answer of the Relay Pro events API, taken apart: good events, and what is none.
struct RelayPage: Sendable {
    let events: [Event]
    let rejected: [RejectedEvent]
    /// The times that events gave themselves, in page order.
    let times: [Timestamp]
    /// Elements of whatever quality: what tells whether the page was full.
    let count: Int

    static let empty = RelayPage(events: [], rejected: [], times: [], count: 0)

    private init(events: [Event], rejected: [RejectedEvent], times: [Timestamp], count: Int) {
        self.events = events
        self.rejected = rejected
        self.times = times
        self.count = count
    }

    /// Reads a bare array, or an array in an envelope (`{"events":[…]}`, `{"data":[…]}`); `{}` is an empty page.
    /// - `now`: the time of events that have none.
    /// - Throws: ``RelayPageError`` when it is neither, or cut short. Bad elements do not throw.
    init(_ body: Bytes, source: String, now: Timestamp) throws(RelayPageError) {
        let elements = try RelayPage.elements(body)
        let reader = RelayEventReader(source: source, now: now)
        var events: [Event] = []
        var rejected: [RejectedEvent] = []
        var times: [Timestamp] = []
        for range in elements {
            let data = body[range]
            do {
                let (event, time) = try reader.event(data)
                events.append(event)
                if let time { times.append(time) }
            } catch {
                rejected.append(RejectedEvent(data: data, reason: "\(error)"))
            }
        }
        self.init(events: events, rejected: rejected, times: times, count: elements.count)
    }

    private static func elements(_ body: Bytes) throws(RelayPageError) -> [Range<Int>] {
        do {
            return try body.withUnsafeBytes { bytes throws in
                var splitter = JSONSplitter(bytes)
                let elements: [Range<Int>]
                switch splitter.peek() {
                case UInt8(ascii: "["):
                    elements = try splitter.elements()
                case UInt8(ascii: "{"):
                    elements = try self.enveloped(&splitter, bytes)
                case UInt8(ascii: "<"):
                    throw RelayPageError.html
                case nil:
                    throw RelayPageError.nothing
                default:
                    throw RelayPageError.notJSON
                }
                if splitter.peek() != nil { throw RelayPageError.notJSON }
                return elements
            }
        } catch let error as RelayPageError {
            throw error
        } catch JSONSplitter.Failure.truncated {
            throw .truncated
        } catch {
            throw .notJSON
        }
    }

    private static func enveloped(
        _ splitter: inout JSONSplitter,
        _ bytes: UnsafeRawBufferPointer
    ) throws -> [Range<Int>] {
        let members = try splitter.members()
        if members.isEmpty { return [] }
        let names = [Array("\"events\"".utf8), Array("\"data\"".utf8)]
        guard
            let array = members.first(where: { member in
                names.contains { bytes[member.name].elementsEqual($0) }
                    && bytes[member.value.lowerBound] == UInt8(ascii: "[")
            })
        else { throw RelayPageError.unknownEnvelope }
        var inner = JSONSplitter(UnsafeRawBufferPointer(rebasing: bytes[array.value]))
        let start = array.value.lowerBound
        return try inner.elements().map { $0.lowerBound + start..<$0.upperBound + start }
    }
}

enum RelayPageError: Error, Hashable, CustomStringConvertible {
    case html, nothing, notJSON, truncated, unknownEnvelope

    var description: String {
        switch self {
        case .html: "it is HTML (a proxy or login page? check 'base_url')"
        case .nothing: "it is empty"
        case .notJSON: "it is not JSON"
        case .truncated: "it is cut short"
        case .unknownEnvelope: "it is a JSON object without an 'events' or 'data' array"
        }
    }
}

/// Reads one event in either published shape. The older one has `content` as a JSON text that holds the task, and `id`
/// for `event_id`; rules see it in the current shape, and what is forwarded stays as it came.
struct RelayEventReader {
    let source: String
    /// The time of events that have none.
    let now: Timestamp
    private let parser = JSONParser()

    init(source: String, now: Timestamp) {
        self.source = source
        self.now = now
    }

    /// - Throws: ``RelayEventError`` or `JSONError` for what cannot be an event.
    /// - Returns: the event, and the time it gave itself.
    func event(_ data: Bytes) throws -> (Event, Timestamp?) {
        let normalized = try self.normalized(data)
        return try self.parser.parse(normalized ?? data) { event in
            let id = event["event_id"]?.leaf.text ?? ""
            let time = event["timestamp"]?.leaf.utf8.flatMap { Timestamp(utf8: $0) }
            let task = event["task"]?["id"]?.leaf.text ?? ""
            let known = Event(
                source: self.source,
                id: id.isEmpty ? data.contentID : id,
                time: time ?? self.now,
                task: task.isEmpty ? nil : task,
                data: data,
                normalized: normalized
            )
            return (known, time)
        }
    }

    /// - Returns: nil when the event has the current shape already.
    private func normalized(_ data: Bytes) throws -> Bytes? {
        let content: Bytes? = try self.parser.parse(data) { event in
            guard event.kind == .object else { throw RelayEventError.notAnObject }
            let hasID = event["event_id"].map { !$0.leaf.text.isEmpty } ?? false
            let inner = event["content"].flatMap { $0.kind == .string ? $0.leaf.string : nil }
            let hasTask = event["task"]?.kind == .object
            let taskInside = event["content"]?["task"]?.kind == .object
            if let inner, inner.utf8.first == UInt8(ascii: "{") { return Bytes(inner) }
            let needsID = !hasID && event["id"] != nil
            return needsID || (taskInside && !hasTask) ? Bytes() : nil
        }
        guard let content else { return nil }
        return try self.rewrite(data, innerContent: content.isEmpty ? nil : content)
    }

    private func rewrite(_ data: Bytes, innerContent: Bytes?) throws -> Bytes? {
        // Text that only looks like JSON stays text.
        if let innerContent, (try? self.parser.parse(innerContent) { $0.kind == .object }) != true { return nil }
        let outer = try self.members(data)
        var members: [(name: String, value: Bytes)] = []
        var task: Bytes?
        for (name, value) in outer {
            switch name {
            case "content":
                guard let object = innerContent ?? (value.isObject ? value : nil) else { fallthrough }
                let inner = try self.members(object)
                task = inner.last { $0.name == "task" }?.value
                members.append(
                    ("content", self.object(inner.filter { $0.name != "task" || outer.contains { $0.name == "task" } }))
                )
            default:
                members.append((name, value))
            }
        }
        if let task, !members.contains(where: { $0.name == "task" && $0.value.isObject }) {
            members.removeAll { $0.name == "task" }
            members.append(("task", task))
        }
        if let id = members.last(where: { $0.name == "id" })?.value {
            let own = members.last { $0.name == "event_id" }?.value
            if own == nil || own == Bytes("\"\"") || own == Bytes("null") {
                members.removeAll { $0.name == "event_id" }
                members.append(("event_id", id))
            }
        }
        return self.object(members)
    }

    private func members(_ object: Bytes) throws -> [(name: String, value: Bytes)] {
        try object.withUnsafeBytes { bytes throws in
            var splitter = JSONSplitter(bytes)
            return try splitter.members().map { member in
                let quoted = String(decoding: bytes[member.name], as: UTF8.self)
                return (String(quoted.dropFirst().dropLast()), object[member.value])
            }
        }
    }

    private func object(_ members: [(name: String, value: Bytes)]) -> Bytes {
        var builder = BytesBuilder()
        builder.append(UInt8(ascii: "{"))
        for (index, member) in members.enumerated() {
            if index > 0 { builder.append(UInt8(ascii: ",")) }
            // The name is still in its JSON form.
            builder.append("\"\(member.name)\":")
            builder.append(member.value)
        }
        builder.append(UInt8(ascii: "}"))
        return builder.build()
    }
}

enum RelayEventError: Error, CustomStringConvertible {
    case notAnObject

    var description: String { "an event is a JSON object" }
}

extension Bytes {
    fileprivate var isObject: Bool {
        self.withUnsafeBytes { $0.first == UInt8(ascii: "{") }
    }
}
