/// What to look for, and where to send what is found.
package struct Rule: Sendable, Hashable {
    package let name: String
    package let pattern: Pattern
    /// Takes only what no other rule matched.
    package let otherwise: Bool
    /// Ends the list for an event that this rule matches.
    package let stop: Bool
    package let title: Template?
    package let message: Template?
    /// The names of sinks.
    package let sinks: [String]

    package init(
        name: String,
        pattern: Pattern = .everything,
        otherwise: Bool = false,
        stop: Bool = false,
        title: Template? = nil,
        message: Template? = nil,
        sinks: [String]
    ) {
        self.name = name
        self.pattern = pattern
        self.otherwise = otherwise
        self.stop = stop
        self.title = title
        self.message = message
        self.sinks = sinks
    }
}

/// Reads rules as a user wrote them.
package struct RuleReader {
    private let diagnostics: Diagnostics
    private let sinks: Set<String>?

    /// - `sinks`: the names that `send` may use; nil where sinks do not matter (`bellhop pipe`).
    package init(sinks: Set<String>?, _ diagnostics: Diagnostics) {
        self.sinks = sinks
        self.diagnostics = diagnostics
    }

    package func rules(_ settings: [Setting]) -> [Rule] {
        var places: [String: Place] = [:]
        return settings.map { setting in
            let options = OptionReader(setting, owner: "a rule", diagnostics: self.diagnostics)
            let name = options.requiredString("name", "a short name, which logs and metrics use")
            if let first = places[name], !name.isEmpty {
                self.diagnostics.error(
                    "a second rule is named '\(name)'; the first is at \(first)",
                    at: options.place(of: "name")
                )
            }
            places[name] = options.place(of: "name")
            return self.rule(name, options)
        }
    }

    private func rule(_ name: String, _ options: OptionReader) -> Rule {
        let pattern = options.optional("match").map { PatternReader(self.diagnostics).pattern($0) } ?? .everything
        for key in ["unless", "within", "body"] {
            guard let setting = options.optional(key) else { continue }
            options.error("'\(key)' is not in this version of Bellhop yet", setting)
        }
        let rule = Rule(
            name: name,
            pattern: pattern,
            otherwise: options.bool("otherwise", default: false),
            stop: options.bool("stop", default: false),
            title: self.template("title", options),
            message: self.template("message", options),
            sinks: self.send(options)
        )
        options.finish()
        return rule
    }

    private func template(_ key: String, _ options: OptionReader) -> Template? {
        guard let setting = options.optional(key) else { return nil }
        guard let text = setting.text else {
            options.error("'\(key)' is a text, not \(setting.shown)", setting)
            return nil
        }
        do {
            let template = try Template(text)
            for path in template.paths where path.names.first == "lifecycle" {
                self.diagnostics.warning(
                    "{{\(path)}} is empty in this version: the life cycle comes later",
                    at: setting.place
                )
            }
            return template
        } catch {
            options.error("'\(key)': \(error)", setting)
            return nil
        }
    }

    private func send(_ options: OptionReader) -> [String] {
        guard let known = self.sinks else {
            _ = options.optional("send")
            return []
        }
        guard let setting = options.required("send", "a list of sinks, like [\(known.min() ?? "ops")]") else {
            return []
        }
        var names: [String] = []
        for element in setting.elementsOrSelf {
            guard let name = element.text else {
                options.error("'send' lists names of sinks, not \(element.shown)", element)
                continue
            }
            if !known.contains(name) {
                options.error("there is no sink '\(name)'\(Spelling.hint(for: name, among: known))", element)
            } else if names.contains(name) {
                options.error("'\(name)' stands twice in 'send'; an event goes to a sink once per rule", element)
            } else {
                names.append(name)
            }
        }
        if setting.elements?.isEmpty == true {
            options.error("'send' is empty, so this rule would do nothing", setting)
        }
        return names
    }
}
