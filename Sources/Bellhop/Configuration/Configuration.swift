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
    package let retention: Retention
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
        let rules = self.rules(options, sinks: Set(self.names("sinks", options)), folder: context.folder)
        let retention = Retention(options.nested("spool"))
        for key in ["admin"] {
            guard let setting = options.optional(key) else { continue }
            self.diagnostics.error("'\(key)' is not in this version of Bellhop yet; leave it out", at: setting.place)
        }
        options.finish()
        guard !self.diagnostics.hasErrors else { return nil }
        self.warnOfUnused(rules, options)
        return Configuration(
            file: file,
            dataFolder: dataFolder,
            sources: sources,
            sinks: sinks,
            rules: RuleSet(rules),
            retention: retention,
            context: context
        )
    }

    /// The rules of files and folders alone, for `bellhop pipe`: `send` does not matter there.
    package func rules(files: [String]) -> RuleSet? {
        let place = Place(file: "command line", line: 1, column: 1)
        let settings = files.flatMap { self.ruleSettings(at: $0, shownAs: $0, from: place) }
        let rules = RuleReader(sinks: nil, self.diagnostics).rules(settings)
        return self.diagnostics.hasErrors ? nil : RuleSet(rules)
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

    private func rules(_ options: OptionReader, sinks: Set<String>, folder: String) -> [Rule] {
        guard let setting = options.required("rules", "a list of rule files, folders, or rules") else { return [] }
        var settings: [Setting] = []
        for element in setting.elementsOrSelf {
            if let path = element.text {
                let full = path.hasPrefix("/") ? path : "\(folder)/\(path)"
                settings += self.ruleSettings(at: full, shownAs: folder == "." ? path : full, from: element.place)
            } else {
                settings.append(element)
            }
        }
        if settings.isEmpty, !self.diagnostics.hasErrors {
            options.error("there is no rule, so nothing would ever be sent", setting)
        }
        return RuleReader(sinks: sinks, self.diagnostics).rules(settings)
    }

    private func ruleSettings(at path: String, shownAs name: String, from place: Place) -> [Setting] {
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
            self.diagnostics.error("there is no rule file or folder \(name)", at: place)
            return []
        }
        guard isFolder.boolValue else { return self.ruleSettings(file: path, shownAs: name) }
        let files = ((try? FileManager.default.contentsOfDirectory(atPath: path)) ?? [])
            .filter { ($0.hasSuffix(".yaml") || $0.hasSuffix(".yml")) && !$0.hasPrefix(".") }
            .sorted()
        if files.isEmpty { self.diagnostics.error("the folder \(name) holds no .yaml file", at: place) }
        let prefix = name.hasSuffix("/") ? name : name + "/"
        return files.flatMap { self.ruleSettings(file: prefixed(path, $0), shownAs: prefix + $0) }
    }

    private func ruleSettings(file: String, shownAs name: String) -> [Setting] {
        guard let setting = self.yaml.read(file: file, shownAs: name) else { return [] }
        let options = OptionReader(setting, owner: "a rule file", diagnostics: self.diagnostics)
        // Rules' tests stand beside them; this version keeps them for `bellhop test`, which comes later.
        _ = options.optional("tests")
        let rules = options.required("rules", "a list of rules")
        options.finish()
        guard let rules else { return [] }
        guard let elements = rules.elements else {
            options.error("'rules' is a list, not \(rules.shown)", rules)
            return []
        }
        return elements
    }

    private func warnOfUnused(_ rules: [Rule], _ options: OptionReader) {
        let used = Set(rules.flatMap(\.sinks))
        for member in options.setting.members?.first(where: { $0.key == "sinks" })?.setting.members ?? []
        where !used.contains(member.key) {
            self.diagnostics.warning("no rule sends to the sink '\(member.key)'", at: member.place)
        }
    }
}

private func prefixed(_ folder: String, _ file: String) -> String {
    folder.hasSuffix("/") ? folder + file : "\(folder)/\(file)"
}
