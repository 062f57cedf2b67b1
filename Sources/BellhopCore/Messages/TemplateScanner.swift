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

    private let source: String
    private let zones: Zones
    private var open: [String] = []

    init(_ source: String, zones: Zones) {
        self.source = source
        self.zones = zones
    }

    mutating func scan() throws(TemplateError) {
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
        if text == "." { return nil }
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
        if let known = self.names.firstIndex(where: { $0.utf8.elementsEqual(name.utf8) }) { return known }
        self.names.append(name)
        return self.names.count - 1
    }
}
