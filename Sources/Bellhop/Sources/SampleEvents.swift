import BellhopCore

/// Events that no source has read: of a file, of a test, or made up.
package enum SampleEvents {
    /// When events happen that do not say so, where tests must come out the same every time.
    package static let testTime = Timestamp(seconds: 1_767_268_800)  // 2026-01-01T12:00:00Z, a Thursday

    /// Reads an event in Relay Pro's shapes, for rules that are tried without a configuration.
    package static func event(_ data: Bytes, source: String, now: Timestamp) throws -> Event {
        try RelayEventReader(source: source, now: now).event(data).0
    }

    /// An acknowledged alert, recognisable as a test.
    package static func acknowledged(id: String, at time: Timestamp) -> Bytes {
        Bytes(
            JSONText.object([
                "content": JSONText.object(["type": "\"acknowledged\"", "device": "\"bellhop test\""]),
                "task": JSONText.object(["id": JSONText.string(id), "name": "\"test-alert\""]),
                "event_id": JSONText.string(id),
                "timestamp": JSONText.string(time.description),
            ])
        )
    }
}

extension Configuration {
    /// Reads an event as the named source would.
    ///
    /// - `source`: nil for the only one, or the first.
    ///
    /// - Throws: what is wrong with the event, or ``SourceError`` for a source that is not there.
    package func event(_ data: Bytes, source name: String? = nil, now: Timestamp) throws -> Event {
        guard let source = name.map({ name in self.sources.first { $0.name == name } }) ?? self.sources.first else {
            let hint = Spelling.hint(for: name ?? "", among: self.sources.map(\.name))
            throw SourceError("there is no source '\(name ?? "")'\(hint)")
        }
        return try source.event(data, now: now)
    }
}
