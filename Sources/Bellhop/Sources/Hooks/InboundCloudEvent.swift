import BellhopCore
import Foundation

/// A CloudEvent that somebody sent over HTTP (https://github.com/cloudevents/spec v1.0, bindings/http-protocol-binding.md).
struct InboundCloudEvent {
    /// In which of its three forms a request holds it.
    enum Mode {
        /// One JSON object with everything.
        case structured
        /// A list of those.
        case batch
        /// The attributes are headers, the body is the data.
        case binary
    }

    /// §3: by the media type, then by the headers; nil where it is no CloudEvent.
    static func mode(of request: InboundRequest, _ media: MediaType) -> Mode? {
        if media.type.hasPrefix("application/cloudevents-batch") { return .batch }
        if media.type.hasPrefix("application/cloudevents") { return .structured }
        let required = ["ce-specversion", "ce-id", "ce-source", "ce-type"]
        return required.allSatisfy { request.header($0) != nil } ? .binary : nil
    }

    /// Unique within `source`.
    let id: String
    let source: String
    let type: String
    let time: Timestamp?
    let subject: String?

    /// Reads the attributes of the structured form.
    /// - Throws: ``InboundCloudEventError`` for one that is missing, and for another version than 1.
    init(_ json: JSON) throws(InboundCloudEventError) {
        guard json.kind == .object else { throw InboundCloudEventError("a CloudEvent is a JSON object") }
        func required(_ name: String) throws(InboundCloudEventError) -> String {
            guard let text = json[name]?.leaf.string, !text.isEmpty else {
                throw InboundCloudEventError("a CloudEvent has '\(name)', a text that is not empty")
            }
            return text
        }
        let version = try required("specversion")
        guard version.hasPrefix("1.") else {
            throw InboundCloudEventError("CloudEvents of version 1 are understood, not of '\(version.prefix(40))'")
        }
        self.id = try required("id")
        self.source = try required("source")
        // A URI reference; so that the name made of both is that of one event only.
        guard !self.source.contains(where: \.isWhitespace) else {
            throw InboundCloudEventError("a CloudEvent's 'source' is a URI reference, without spaces")
        }
        self.type = try required("type")
        self.time = (json["time"]?.leaf).flatMap { Timestamp($0) }
        let subject = json["subject"]?.leaf.string ?? ""
        self.subject = subject.isEmpty ? nil : subject
    }

    /// What the event is known by here: "source + id is unique for each distinct event" (spec.md, "id").
    var key: String { "\(self.source) \(self.id)" }

    /// The structured form of a binary one, so that rules read the same fields either way.
    /// - Throws: ``InboundCloudEventError`` for a header that is not UTF-8.
    static func structured(
        _ request: InboundRequest,
        _ media: MediaType,
        data: Bytes
    ) throws(InboundCloudEventError) -> Bytes {
        var members: [(name: String, value: String?)] = []
        for (name, value) in request.headers where name.hasPrefix("ce-") {
            let attribute = String(name.dropFirst(3))
            // Named so they would be taken for what the body is.
            guard !["data", "data_base64", "datacontenttype"].contains(attribute),
                !members.contains(where: { $0.name == attribute })
            else { continue }
            guard let text = self.decoded(value) else {
                throw InboundCloudEventError("the header '\(name)' does not hold percent-encoded UTF-8")
            }
            members.append((attribute, JSONText.string(text)))
        }
        if let type = request.header("content-type") { members.append(("datacontenttype", JSONText.string(type))) }
        var builder = BytesBuilder(capacity: data.count + 512)
        builder.append(String(JSONText.object(members).dropLast()))
        let text = data.withUnsafeBytes { String(validating: $0, as: UTF8.self) }
        switch (media.isJSON, text) {
        case _ where data.isEmpty: break
        case (true, _):
            builder.append(",\"data\":")
            builder.append(data)
        case (false, let text?):
            builder.append(",\"data\":\(JSONText.string(text))")
        case (false, nil):
            let base64 = data.withUnsafeBytes { Data($0).base64EncodedString() }
            builder.append(",\"data_base64\":\"\(base64)\"")
        }
        builder.append("}")
        return builder.build()
    }

    /// §3.1.3.2: without quotes around it, then percent-decoded once.
    private static func decoded(_ value: String) -> String? {
        var value = value.trimmingSpaces
        if value.utf8.count >= 2, value.hasPrefix("\""), value.hasSuffix("\"") {
            var unescaped = String.UnicodeScalarView()
            var isEscaped = false
            for scalar in value.unicodeScalars.dropFirst().dropLast() {
                if scalar == "\\", !isEscaped {
                    isEscaped = true
                } else {
                    unescaped.append(scalar)
                    isEscaped = false
                }
            }
            value = String(unescaped)
        }
        return String(validating: value.percentDecodedBytes, as: UTF8.self)
    }
}

struct InboundCloudEventError: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}
