/// Reads a template's tags: checks them, and rewrites them into what swift-mustache takes.
///
/// swift-mustache knows neither filters with arguments nor dots inside names, and escapes for HTML. So every name becomes
/// its number in ``names`` (`{{task.name}}` → `{{{N0.v1}}}`), every filter its number in ``filters``, and every field
/// unescaped: ``TemplateScope`` gives the values, escaped for where they go.
///
/// The letter before a number tells what is wanted: `N` `n` what the rest of the path leads through, `V` `v` a text, `S`
/// `s` something to repeat or to test; capitals stand first in their path.
struct TemplateScanner {
    private(set) var rewritten = ""
    private(set) var fields: [Template.Field] = []
    private(set) var names: [String] = []
    private(set) var filters: [TemplateFilter] = []
    private(set) var soleField: FieldPath?
    private(set) var hasTags = false

    private let source: String
    private let zones: Zones
    private var open: [String] = []
    private var numbers: [[UInt8]: Int] = [:]

    /// Far more than messages need, and little enough for the library's parser.
    private static let sizeLimit = 32_000
    private static let depthLimit = 50
    private static let filterLimit = 20

    init(_ source: String, zones: Zones) {
        self.source = source
        self.zones = zones
    }

    mutating func scan() throws(TemplateError) {
        let size = self.source.utf8.count
        guard size <= Self.sizeLimit else {
            throw .unreadable("it has \(size) bytes; at most \(Self.sizeLimit) are read")
        }
        var rest = self.source[...]
        var tags = 0
        while let start = rest.firstRange(of: "{{") {
            self.rewritten += rest[..<start.lowerBound]
            rest = rest[start.upperBound...]
            let isTriple = rest.first == "{"
            if isTriple { rest = rest.dropFirst() }
            let closing = isTriple ? "}}}" : "}}"
            guard let end = rest.firstRange(of: closing) else {
                throw .unclosedTag("{{\(isTriple ? "{" : "")\(rest.prefix(30))")
            }
            let content = String(rest[..<end.lowerBound])
            rest = rest[end.upperBound...]
            tags += 1
            self.hasTags = true
            let isWhole = tags == 1 && rest.isEmpty && self.rewritten.isEmpty
            try self.tag(content, isTriple: isTriple, isWhole: isWhole)
        }
        if let section = self.open.last { throw .unclosedSection(section) }
        self.rewritten += rest
    }

    private mutating func tag(_ content: String, isTriple: Bool, isWhole: Bool) throws(TemplateError) {
        let tag = isTriple ? "{{{\(content)}}}" : "{{\(content)}}"
        let text = content.trimmingSpaces
        guard !isTriple, let sigil = text.unicodeScalars.first else {
            return try self.field(text, tag, isWhole ? isTriple : false)
        }
        let name = String(text.unicodeScalars.dropFirst()).trimmingSpaces
        switch sigil {
        case "!": self.rewritten += "{{! }}"
        case "&": try self.field(name, tag, isWhole)
        case "#", "^":
            let path = try self.path(name, tag)
            self.rewritten += "{{\(sigil)\(self.code(path, "S"))}}"
            self.open.append(name)
            guard self.open.count <= Self.depthLimit else {
                throw .unreadable("sections are nested more than \(Self.depthLimit) deep")
            }
        case "/":
            guard let open = self.open.popLast() else { throw .closesNothing(name) }
            guard open == name else { throw .closesOther(name, open: open) }
            self.rewritten += "{{/\(self.code(try self.path(name, tag), "S"))}}"
        case ">", "<", "$", "%", "=": throw .unsupported(tag)
        default: try self.field(text, tag, false)
        }
    }

    /// `path | filter argument | filter`
    private mutating func field(_ text: String, _ tag: String, _ isSole: Bool) throws(TemplateError) {
        let parts = TemplateFilter.split(text)
        guard parts.count <= Self.filterLimit + 1 else {
            throw .badFilter(
                tag: "{{\(parts[0])| …}}",
                reason: "at most \(Self.filterLimit) filters, one after the other"
            )
        }
        let path = try self.path(parts[0].trimmingSpaces, tag)
        var code = self.code(path, "V")
        for part in parts.dropFirst() {
            do {
                self.filters.append(try TemplateFilter(part, zones: self.zones))
            } catch {
                throw .badFilter(tag: tag, reason: "\(error)")
            }
            code = "f\(self.filters.count - 1)(\(code))"
        }
        if isSole, parts.count == 1 { self.soleField = path }
        self.rewritten += "{{{\(code)}}}"
    }

    /// Nil for `.`, what the section is about.
    private mutating func path(_ text: String, _ tag: String) throws(TemplateError) -> FieldPath? {
        if text == "." {
            guard self.open.isEmpty else { return nil }
            throw .badField(tag: tag, reason: "'.' is what a section is about, and this is in none")
        }
        if text.isEmpty { throw .badField(tag: tag, reason: "a field's name is missing") }
        if text.utf8.contains(where: { " \t\n()".utf8.contains($0) }) {
            throw .badField(tag: tag, reason: "'\(text)' is no field; a filter is written {{field | filter}}")
        }
        do {
            let path = try FieldPath(dotted: text)
            self.fields.append(Template.Field(path: path, isInSection: !self.open.isEmpty))
            return path
        } catch {
            throw .badField(tag: tag, reason: "\(error)")
        }
    }

    private mutating func code(_ path: FieldPath?, _ kind: String) -> String {
        guard let path else { return "." }
        return path.names.enumerated()
            .map { index, name in
                let letter = index == path.names.count - 1 ? kind : "N"
                return (index == 0 ? letter : letter.lowercased()) + "\(self.number(of: name))"
            }
            .joined(separator: ".")
    }

    private mutating func number(of name: String) -> Int {
        let key = Array(name.utf8)
        if let known = self.numbers[key] { return known }
        self.numbers[key] = self.names.count
        self.names.append(name)
        return self.names.count - 1
    }
}
