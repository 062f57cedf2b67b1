import BellhopCore
import Foundation
import Logging

/// Everything that one `bellhop.yaml` says, checked; nothing is open yet.
package struct Configuration: Sendable {
    package let file: String
    package let dataFolder: String
    package let sources: [any Source]
    package let sinks: [any Sink]
    package let rules: RuleSet
    /// The tests that stand beside the rules.
    package let tests: [RuleTest]
    package let retention: Retention
    /// Nil where nothing listens for those who ask how it is.
    package let admin: AdminSettings?
    package let context: ComponentContext
}

/// Reads configurations. Every mistake goes into the diagnostics; with an error there is no configuration.
package struct ConfigurationReader {
    package let diagnostics = Diagnostics()
    private let yaml: YAMLReader

    package init(environment: [String: String] = ProcessInfo.processInfo.environment) {
        self.yaml = YAMLReader(diagnostics: self.diagnostics, expansion: Expansion(environment: environment))
    }

    /// - `makeContext`: given the folder that relative paths start from, and what may be connected to.
    /// - Returns: nil where there are errors.
    package func configuration(
        file: String,
        makeContext: (_ folder: String, _ guardian: NetworkGuard) -> ComponentContext
    ) -> Configuration? {
        guard let setting = self.yaml.read(file: file, shownAs: file) else { return nil }
        let folder = (file as NSString).deletingLastPathComponent
        let options = OptionReader(setting, owner: "the configuration", diagnostics: self.diagnostics)
        let guardian = NetworkGuard(options.nested("network"))
        let context = makeContext(folder.isEmpty ? "." : folder, guardian)
        let dataFolder = context.path(options.string("data_dir", default: "./data"))
        let sources = self.components("sources", "source", Sources.all, options, context) { type, name, reader in
            type.init(name: name, options: reader, context: context)
        }
        let sinks = self.components("sinks", "sink", Sinks.all, options, context) { type, name, reader in
            type.init(name: name, options: reader, context: context)
        }
        let sinkNames = Set(self.names("sinks", options))
        var files = RuleFiles(self.yaml, self.diagnostics)
        files.add(options, folder: context.folder)
        // A key in a message or body goes out with it, and must not be shown anywhere else.
        for value in files.rules.flatMap(\.allExpansions) where value.utf8.count >= 8 {
            context.redactor.add(Secret(value))
        }
        let catalogue = FieldCatalogue(of: sources)
        let rules = RuleReader(sinks: .known(sinkNames), zones: .system, fields: catalogue, self.diagnostics)
            .rules(files.rules)
        let tests = RuleTestReader(rules: rules, sinks: sinkNames, self.diagnostics).tests(files.tests)
        let retention = Retention(options.nested("spool"))
        let admin = options.optional("admin").map { _ in AdminSettings(options.nested("admin"), context) }
        options.finish()
        guard !self.diagnostics.hasErrors else { return nil }
        self.warnOfUnused(rules, options)
        self.warnOfBodies(rules, sinks, options)
        return Configuration(
            file: file,
            dataFolder: dataFolder,
            sources: sources,
            sinks: sinks,
            rules: RuleSet(rules),
            tests: tests,
            retention: retention,
            admin: admin,
            context: context
        )
    }

    /// The rules of files and folders alone.
    ///
    /// - `sends`: whether rules must say where they send; the names of sinks do not matter.
    package func ruleBook(files paths: [String], sends: Bool) -> RuleBook? {
        let place = Place(file: "command line", line: 1, column: 1)
        var files = RuleFiles(self.yaml, self.diagnostics)
        for path in paths { files.add(path: path, shownAs: path, from: place) }
        return self.ruleBook(files, sends: sends)
    }

    /// The rules and tests of one text of YAML.
    package func ruleBook(yaml: String, shownAs name: String) -> RuleBook? {
        guard let setting = self.yaml.read(yaml, file: name) else { return nil }
        var files = RuleFiles(self.yaml, self.diagnostics)
        files.add(OptionReader(setting, owner: "a rule file", diagnostics: self.diagnostics), folder: ".")
        return self.ruleBook(files, sends: true)
    }

    private func ruleBook(_ files: RuleFiles, sends: Bool) -> RuleBook? {
        let rules = RuleReader(sinks: sends ? .any : .none, zones: .system, self.diagnostics).rules(files.rules)
        let tests = sends ? RuleTestReader(rules: rules, sinks: nil, self.diagnostics).tests(files.tests) : []
        return self.diagnostics.hasErrors ? nil : RuleBook(rules: RuleSet(rules), tests: tests)
    }

    /// A text of YAML as it is read, for references and tests.
    package func setting(_ yaml: String) -> Setting? { self.yaml.read(yaml, file: "text") }

    private func components<ComponentType, Made>(
        _ key: String,
        _ noun: String,
        _ kinds: [ComponentType],
        _ options: OptionReader,
        _ context: ComponentContext,
        _ make: (ComponentType, String, OptionReader) -> Made
    ) -> [Made] {
        guard let setting = options.required(key, "at least one \(noun), as a mapping of its name to its options")
        else { return [] }
        guard let members = setting.members, !members.isEmpty else {
            options.error("'\(key)' is a mapping of names to options, not \(setting.shown)", setting)
            return []
        }
        let byKind = Dictionary(uniqueKeysWithValues: kinds.map { (($0 as? any Component.Type)?.kind ?? "", $0) })
        return members.compactMap { member in
            if let problem = self.nameProblem(member.key) {
                self.diagnostics.error("\(problem)", at: member.place)
            }
            var reader = OptionReader(member.setting, owner: "\(noun) '\(member.key)'", diagnostics: self.diagnostics)
            guard member.setting.members != nil else { return nil }
            let kind = reader.requiredString("kind", "one of \(byKind.keys.sorted().joined(separator: ", "))")
            guard let type = byKind[kind] else {
                if !kind.isEmpty {
                    let hint = Spelling.hint(for: kind, among: byKind.keys)
                    self.diagnostics.error("there is no \(noun) of kind '\(kind)'\(hint)", at: reader.place(of: "kind"))
                }
                return nil
            }
            reader = OptionReader(
                member.setting,
                owner: "\(noun) '\(member.key)' (\(kind))",
                diagnostics: self.diagnostics
            )
            _ = reader.optional("kind")
            let made = make(type, member.key, reader)
            reader.finish()
            return made
        }
    }

    private func names(_ key: String, _ options: OptionReader) -> [String] {
        (options.optional(key)?.members ?? []).map(\.key)
    }

    /// Names are metric labels and words on the command line.
    private func nameProblem(_ name: String) -> String? {
        let isPlain =
            !name.isEmpty && name.count <= 64
            && name.utf8.allSatisfy {
                $0 < 128
                    && ($0 == 95 || $0 == 45 || $0 == 46 || Character(Unicode.Scalar($0)).isLetter
                        || Character(Unicode.Scalar($0)).isNumber)
            }
        return isPlain ? nil : "'\(name)' is no name; use letters, digits, '-', '_' and '.', at most 64"
    }

    private func warnOfUnused(_ rules: [Rule], _ options: OptionReader) {
        let used = Set(rules.flatMap(\.sinks))
        for member in options.setting.members?.first(where: { $0.key == "sinks" })?.setting.members ?? []
        where !used.contains(member.key) {
            self.diagnostics.warning("no rule sends to the sink '\(member.key)'", at: member.place)
        }
    }

    private func warnOfBodies(_ rules: [Rule], _ sinks: [any Sink], _ options: OptionReader) {
        let chats = sinks.filter { !type(of: $0).sendsEvents }
        for rule in rules where rule.body != nil {
            for sink in chats where rule.sinks.contains(sink.name) {
                self.diagnostics.warning(
                    "rule '\(rule.name)' has a 'body', which the sink '\(sink.name)' (\(type(of: sink).kind)) does not use; "
                        + "it sends the message",
                    at: options.place(of: "rules")
                )
            }
        }
    }
}

extension FieldCatalogue {
    /// What the events of all these sources are known to have.
    fileprivate init(of sources: [any Source]) {
        let known = sources.map { type(of: $0).knownFields }
        let isOpen = known.isEmpty || known.contains { $0 == nil }
        self.init(paths: isOpen ? nil : known.compactMap { $0 }.flatMap { $0 })
    }
}
