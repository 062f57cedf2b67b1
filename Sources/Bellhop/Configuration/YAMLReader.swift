import BellhopCore
import Foundation
import Yams

/// Turns YAML into settings with their places. Only true/false, null/~ and plain decimal numbers have a type; `on`, `no`
/// and `2024-08-08` are texts. `${NAME}` is expanded here, after parsing, so that a value cannot change the structure.
struct YAMLReader {
    let diagnostics: Diagnostics
    let expansion: Expansion

    /// - Returns: nil after an error in the file as a whole.
    func read(file: String, shownAs name: String) -> Setting? {
        guard let data = FileManager.default.contents(atPath: file) else {
            let reason = String(cString: strerror(errno == 0 ? EISDIR : errno))
            self.diagnostics.error("cannot read \(file) (\(reason))", at: Place(file: name, line: 1, column: 1))
            return nil
        }
        return self.read(String(decoding: data, as: UTF8.self), file: name)
    }

    func read(_ yaml: String, file: String) -> Setting? {
        do {
            guard let node = try Yams.compose(yaml: yaml) else {
                return Setting(.null, at: Place(file: file, line: 1, column: 1))
            }
            return self.setting(node, file, depth: 0)
        } catch let error as YamlError {
            let (message, line, column) = self.explain(error)
            self.diagnostics.error(message, at: Place(file: file, line: line, column: column))
        } catch {
            self.diagnostics.error("not valid YAML: \(error)", at: Place(file: file, line: 1, column: 1))
        }
        return nil
    }

    private func setting(_ node: Node, _ file: String, depth: Int) -> Setting {
        let place = Place(file: file, line: node.mark?.line ?? 1, column: node.mark?.column ?? 1)
        guard depth < 100 else {
            self.diagnostics.error("nested too deeply", at: place)
            return Setting(.null, at: place)
        }
        switch node {
        case .scalar(let scalar):
            return self.scalar(scalar, place)
        case .sequence(let sequence):
            return Setting(.list(sequence.map { self.setting($0, file, depth: depth + 1) }), at: place)
        case .mapping(let mapping):
            let members = mapping.map { key, value in
                Setting.Member(
                    key: key.scalar?.string ?? "",
                    place: Place(
                        file: file,
                        line: key.mark?.line ?? place.line,
                        column: key.mark?.column ?? place.column
                    ),
                    setting: self.setting(value, file, depth: depth + 1)
                )
            }
            return Setting(.map(members), at: place)
        case .alias:
            return Setting(.null, at: place)
        }
    }

    private func scalar(_ scalar: Node.Scalar, _ place: Place) -> Setting {
        if scalar.style == .plain {
            switch scalar.string {
            case "true": return Setting(.bool(true), at: place)
            case "false": return Setting(.bool(false), at: place)
            case "null", "~", "": return Setting(.null, at: place)
            default:
                if let number = Number(scalar.string) {
                    return Setting(.number(number, text: scalar.string), at: place)
                }
            }
        }
        do {
            let (text, expansions) = try self.expansion.expand(scalar.string)
            return Setting(.string(text), at: place, expansions: expansions)
        } catch {
            self.diagnostics.error("\(error)", at: place)
            return Setting(.mistaken, at: place)
        }
    }

    private func explain(_ error: YamlError) -> (String, Int, Int) {
        switch error {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
            .composer(_, let problem, let mark, _):
            return ("not valid YAML: \(problem)", mark.line, mark.column)
        case .duplicatedKeysInMapping(let duplicates, let context):
            let keys = duplicates.map { "'\($0)'" }.joined(separator: ", ")
            return ("the key \(keys) stands twice in one mapping", context.mark.line, context.mark.column)
        default:
            return ("not valid YAML: \(error)", 1, 1)
        }
    }
}

/// `${NAME}`, `${NAME:-default}`, `${file:/run/secrets/x}`; `$${` is a literal `${`.
struct Expansion: Sendable {
    private let environment: [String: String]

    init(environment: [String: String]) {
        self.environment = environment
    }

    /// - Throws: ``ExpansionError`` that names what is not there.
    /// - Returns: also the values that were put in, empty ones included.
    func expand(_ text: String) throws(ExpansionError) -> (text: String, expansions: [String]) {
        guard text.contains("${") else { return (text, []) }
        var out = ""
        var expansions: [String] = []
        var rest = text[...]
        while let dollar = rest.firstRange(of: "${") {
            if rest[..<dollar.lowerBound].hasSuffix("$") {
                out += rest[..<dollar.lowerBound].dropLast() + "${"
                rest = rest[dollar.upperBound...]
                continue
            }
            out += rest[..<dollar.lowerBound]
            rest = rest[dollar.upperBound...]
            guard let close = rest.firstIndex(of: "}") else { throw .unclosed }
            let value = try self.value(of: String(rest[..<close]))
            out += value
            expansions.append(value)
            rest = rest[rest.index(after: close)...]
        }
        return (out + rest, expansions)
    }

    private func value(of reference: String) throws(ExpansionError) -> String {
        if reference.hasPrefix("file:") {
            let path = String(reference.dropFirst(5))
            guard let data = FileManager.default.contents(atPath: path) else { throw .unreadableFile(path) }
            // Files end in a line break that is no part of the secret.
            return String(decoding: data, as: UTF8.self).trimmingSpaces
        }
        var name = reference[...]
        var fallback: String?
        if let separator = reference.firstRange(of: ":-") {
            name = reference[..<separator.lowerBound]
            fallback = String(reference[separator.upperBound...])
        }
        guard let first = name.first, first == "_" || first.isLetter,
            name.allSatisfy({ $0 == "_" || $0.isLetter || $0.isNumber })
        else { throw .badName(reference) }
        if let value = self.environment[String(name)], !value.isEmpty || fallback == nil { return value }
        guard let fallback else { throw .unset(String(name)) }
        return fallback
    }
}

enum ExpansionError: Error, Hashable, CustomStringConvertible {
    case unclosed
    case badName(String)
    case unset(String)
    case unreadableFile(String)

    var description: String {
        switch self {
        case .unclosed: "'${' is never closed; a literal one is written $${"
        case .badName(let name): "'${\(name)}' is no variable; write ${NAME}, ${NAME:-default} or ${file:/path}"
        case .unset(let name): "the environment variable \(name) is not set; set it, or write ${\(name):-default}"
        case .unreadableFile(let path): "the file \(path) cannot be read; ${file:…} takes the value from it"
        }
    }
}
