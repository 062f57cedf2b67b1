/// What a field goes through before it stands in a text: `{{content.device | default "somebody" | upper}}`.
enum TemplateFilter: Sendable, Hashable {
    case upper
    case lower
    case json
    case truncate(Int)
    case fallback(String)
    case time(TimeFormat, Zone)
    /// Seconds in one unit of the field.
    case duration(unit: Double)

    private static let names = ["upper", "lower", "json", "truncate", "default", "time", "duration"]

    /// Splits at each `|` outside of quotes; at least one part.
    static func split(_ text: String) -> [String] {
        var parts: [String] = []
        var part = ""
        var isQuoted = false
        for character in text {
            if character == "\"" { isQuoted.toggle() }
            if character == "|", !isQuoted {
                parts.append(part)
                part = ""
            } else {
                part.append(character)
            }
        }
        return parts + [part]
    }

    /// Reads `name argument "argument with spaces"`.
    /// - Throws: ``TemplateFilterError``.
    init(_ text: String, zones: Zones) throws(TemplateFilterError) {
        var words = try TemplateFilter.words(text)
        guard !words.isEmpty else { throw .init("a filter is missing behind '|'; there are \(Self.known)") }
        let name = words.removeFirst()
        let most: Int
        switch name {
        case "upper": (self, most) = (.upper, 0)
        case "lower": (self, most) = (.lower, 0)
        case "json": (self, most) = (.json, 0)
        case "truncate":
            guard let word = words.first, let count = Int(word), (1...100_000).contains(count) else {
                throw .init("'truncate' needs a number of characters, like truncate 40")
            }
            (self, most) = (.truncate(count), 1)
        case "default":
            guard let word = words.first else { throw .init("'default' needs a text, like default \"somebody\"") }
            (self, most) = (.fallback(word), 1)
        case "time":
            let zone = words.count > 1 ? words[1] : "UTC"
            guard let zone = zones[zone] else {
                throw .init("there is no time zone '\(zone)' on this machine; write time \"%H:%M\" Europe/Berlin")
            }
            (self, most) = (.time(try TimeFormat(words.first ?? "%Y-%m-%d %H:%M:%S"), zone), 2)
        case "duration":
            let units = ["s": 1, "ms": 0.001, "us": 0.000_001, "ns": 0.000_000_001, "m": 60, "h": 3600]
            guard let unit = units[words.first ?? "s"] else {
                throw .init("'duration' takes the unit of the field: \(units.keys.sorted().joined(separator: ", "))")
            }
            (self, most) = (.duration(unit: unit), 1)
        default:
            throw .init("there is no filter '\(name)'\(Spelling.hint(for: name, among: Self.names))")
        }
        guard words.count <= most else { throw .init("'\(name)' does not take '\(words[most])'") }
    }

    private static var known: String { self.names.joined(separator: ", ") }

    private static func words(_ text: String) throws(TemplateFilterError) -> [String] {
        var words: [String] = []
        var rest = text[...]
        while let first = rest.first {
            if first == " " || first == "\t" {
                rest = rest.dropFirst()
            } else if first == "\"" {
                rest = rest.dropFirst()
                guard let end = rest.firstIndex(of: "\"") else { throw .init("a quotation mark is never closed") }
                words.append(String(rest[..<end]))
                rest = rest[rest.index(after: end)...]
            } else {
                let word = rest.prefix { $0 != " " && $0 != "\t" && $0 != "\"" }
                words.append(String(word))
                rest = rest[word.endIndex...]
            }
        }
        return words
    }

    /// Whether it is given the field's JSON, not its text.
    var wantsJSON: Bool { self == .json }

    func apply(_ text: String) -> String {
        switch self {
        case .upper: text.uppercased()
        case .lower: text.lowercased()
        case .json: text
        case .truncate(let count): Truncation.characters(text, count)
        case .fallback(let fallback): text.isEmpty ? fallback : text
        case .time(let format, let zone): TemplateFilter.moment(text).map { format.text($0, in: zone) } ?? text
        case .duration(let unit): Double(text).map { TemplateFilter.words(ofSeconds: $0 * unit) } ?? text
        }
    }

    private static func moment(_ text: String) -> Timestamp? {
        Timestamp(text) ?? Double(text).flatMap { Timestamp(sinceEpoch: $0) }
    }

    /// `45s`, `3m 12s`, `2h 5m`, `1d 4h`: the two largest units.
    private static func words(ofSeconds seconds: Double) -> String {
        guard seconds.isFinite, abs(seconds) < 1e15 else { return "\(seconds)s" }
        if seconds < 0 { return "-" + self.words(ofSeconds: -seconds) }
        if seconds < 10, seconds != seconds.rounded() { return "\((seconds * 10).rounded() / 10)s" }
        let whole = Int64(seconds.rounded())
        let parts = [(whole / 86_400, "d"), (whole / 3600 % 24, "h"), (whole / 60 % 60, "m"), (whole % 60, "s")]
        guard let first = parts.firstIndex(where: { $0.0 > 0 }) else { return "0s" }
        return parts[first..<min(first + 2, parts.count)].filter { $0.0 > 0 }.map { "\($0.0)\($0.1)" }
            .joined(separator: " ")
    }
}

struct TemplateFilterError: Error, Hashable, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}
