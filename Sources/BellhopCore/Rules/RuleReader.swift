/// Reads rules as a user wrote them.
package struct RuleReader {
    private let diagnostics: Diagnostics
    private let sinks: SinkNames
    private let zones: Zones
    private let fields: FieldCatalogue

    /// The names that `send` may use.
    package enum SinkNames: Sendable {
        case known(Set<String>)
        /// Rules are tried without a configuration: any name will do.
        case any
        /// Nothing is sent (`bellhop pipe`): `send` may be absent.
        case none
    }

    /// - `fields`: what events have, where that is known: other fields are warned about.
    package init(
        sinks: SinkNames,
        zones: Zones = .utcOnly,
        fields: FieldCatalogue = .open,
        _ diagnostics: Diagnostics
    ) {
        self.sinks = sinks
        self.zones = zones
        self.fields = fields
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
        let pattern = options.optional("match").map { self.pattern($0) } ?? .everything
        for key in ["unless", "within"] {
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
            body: options.optional("body").map { self.body($0) },
            sinks: self.send(options)
        )
        options.finish()
        return rule
    }

    private func pattern(_ setting: Setting) -> Pattern {
        let pattern = PatternReader(self.diagnostics, zones: self.zones).pattern(setting)
        var told: Set<FieldPath> = []
        for leaf in pattern.alternatives.flatMap(\.leaves) where told.insert(leaf.path).inserted {
            self.judge(leaf.path, "the field \(leaf.path)", setting.place, isPattern: true)
        }
        return pattern
    }

    private func template(_ key: String, _ options: OptionReader) -> Template? {
        guard let setting = options.optional(key) else { return nil }
        guard let text = setting.text else {
            options.error("'\(key)' is a text, not \(setting.shown)", setting)
            return nil
        }
        do {
            let template = try Template(text, zones: self.zones)
            self.judge(template.fields, setting.place)
            return template
        } catch {
            options.error("'\(key)': \(error)", setting)
            return nil
        }
    }

    private func body(_ setting: Setting) -> BodyTemplate {
        let body = BodyTemplate(setting, zones: self.zones, self.diagnostics)
        self.judge(body.fields, setting.place)
        return body
    }

    private func judge(_ fields: [Template.Field], _ place: Place) {
        for field in Set(fields).sorted(by: { $0.path.description < $1.path.description }) where !field.isInSection {
            self.judge(field.path, "{{\(field.path)}}", place, isPattern: false)
        }
    }

    /// Says what is known to be wrong with a field's name.
    private func judge(_ path: FieldPath, _ shown: String, _ place: Place, isPattern: Bool) {
        if isPattern, path.names.first == "rule", path.names.count > 1 {
            self.diagnostics.error("\(shown) is the rule itself, not the event's; event.data.\(path) is", at: place)
            return
        }
        if isPattern, path.names == ["event", "data"] {
            self.diagnostics.error("event.data is the whole event; name a field of it, like event.data.id", at: place)
            return
        }
        switch self.fields.judge(path) {
        case .fine: break
        case .lifecycle where isPattern:
            self.diagnostics.error(
                "\(shown) is not in this version of Bellhop yet: the life cycle comes later",
                at: place
            )
        case .lifecycle:
            self.diagnostics.warning("\(shown) is empty in this version: the life cycle comes later", at: place)
        case .notOurs(let hint) where isPattern:
            self.diagnostics.error("\(shown) is not there in any event\(hint)", at: place)
        case .notOurs(let hint):
            self.diagnostics.warning("\(shown) is always empty: there is no such field\(hint)", at: place)
        case .unknown(let hint):
            let what =
                isPattern
                ? "no event of the configured sources is known to have \(shown)"
                : "\(shown) is not known to be a field of the configured sources, and renders empty where it is not there"
            self.diagnostics.warning(what + hint, at: place)
        }
    }

    private func send(_ options: OptionReader) -> [String] {
        let known: Set<String>?
        switch self.sinks {
        case .none:
            _ = options.optional("send")
            return []
        case .any: known = nil
        case .known(let names): known = names
        }
        guard let setting = options.required("send", "a list of sinks, like [\(known?.min() ?? "ops")]") else {
            return []
        }
        var names: [String] = []
        for element in setting.elementsOrSelf {
            guard let name = element.text else {
                options.error("'send' lists names of sinks, not \(element.shown)", element)
                continue
            }
            if let known, !known.contains(name) {
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
