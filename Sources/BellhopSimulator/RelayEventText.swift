import BellhopCore

/// Writes simulated events as the API does, in either published shape and with quirks.
struct RelayEventText {
    let quirks: Set<RelayQuirk>

    /// - `index`: of the event in the world; decides which variant of a quirk it shows.
    /// - `edition`: of its content, for ``RelayQuirk/changed``.
    func json(_ event: SimulatedEvent, index: Int, edition: Int) -> String {
        var content: KeyValuePairs<String, String> = ["type": JSONText.string(event.type)]
        if let device = event.device {
            content = ["type": JSONText.string(event.type), "device": JSONText.string(device)]
        }
        if event.type == "end" { content = ["type": "\"end\"", "status": "\"normal\""] }
        var contentText = JSONText.object(content)
        if self.quirks.contains(.changed), edition % 2 == 1 {
            contentText = String(contentText.dropLast()) + ",\"edition\":\(edition)}"
        }
        let task = JSONText.object([
            "id": JSONText.string(event.task), "name": JSONText.string(event.name),
            "task_type": "{\"major\":1,\"minor\":4,\"name\":\"alerts\",\"namespace\":\"system\"}",
        ])
        let time = JSONText.string(self.time(event.time, index))
        if self.quirks.contains(.oldShape), index % 2 == 0 {
            return self.older(event, content: contentText, task: task, time: time)
        }
        if self.quirks.contains(.nulls), let odd = self.odd(event, index, content: contentText, task: task, time: time)
        {
            return odd
        }
        return JSONText.object([
            "category": "\"tasks\"", "content": contentText, "task": task,
            "event_id": JSONText.string(event.id), "timestamp": time,
        ])
    }

    /// Elements that are no events.
    static let badElements = ["null", "42", "\"text\"", "[]", "{\"event_id\":\"broken\",\"content\":tru}", "{\"a\" 1}"]

    private func older(_ event: SimulatedEvent, content: String, task: String, time: String) -> String {
        let inner = "{\"task\":\(task),\(content.dropFirst())"
        return JSONText.object([
            "category": "\"tasks\"", "content": JSONText.string(inner),
            "content_type": "\"application/vnd.relay.tasks.parameters.v2+json\"",
            "id": JSONText.string(event.id), "profile_id": "\"\"", "source_type": "\"user\"",
            "sub_id": "\"287ced84-9372-4615-a4dd-f41443607a9c\"", "timestamp": time,
        ])
    }

    private func odd(_ event: SimulatedEvent, _ index: Int, content: String, task: String, time: String) -> String? {
        let id = JSONText.string(event.id)
        switch index % 10 {
        case 1: return JSONText.object(["content": "null", "task": task, "event_id": id, "timestamp": time])
        case 2: return JSONText.object(["content": content, "task": "null", "event_id": id, "timestamp": time])
        case 3: return JSONText.object(["event_id": id, "timestamp": time])
        case 4:
            return JSONText.object([
                "content": "\"plain text\"", "event_id": id, "timestamp": time, "extra": "[1,{\"a\":null}]",
            ])
        case 5:
            return JSONText.object([
                "content": content, "task": "{\"id\":\"\",\"name\":7,\"task_type\":null}", "event_id": id,
                "timestamp": time,
            ])
        case 6:
            return JSONText.object([
                "content": content, "task": task, "event_id": id, "id": "\"\"", "timestamp": time,
                "n": "123456789012345678901234567890",
            ])
        default: return nil
        }
    }

    private func time(_ time: Timestamp, _ index: Int) -> String {
        guard self.quirks.contains(.times) else { return time.description }
        let text = time.formatted(.nanoseconds).dropLast()
        let seconds = text.prefix(19)
        let digits = text.dropFirst(20)
        // Only digits that are zero, or finer than the events' microseconds, may go.
        return switch index % 7 {
        case 0: "\(text)Z"
        case 1: "\(seconds).\(digits.prefix(6))+00:00"
        case 2: "\(seconds).\(digits.prefix(7))z".replacing("T", with: "t")
        case 3: "\(seconds).\(digits.prefix(6))".replacing("T", with: " ")
        case 4: "\(seconds).\(digits.prefix(8)) +00:00:00".replacing("T", with: " ")
        case 5: (time + .seconds(-4 * 3600)).description.replacing("Z", with: "-0400")
        default: "\(seconds).\(digits.prefix(6))Z"
        }
    }
}
