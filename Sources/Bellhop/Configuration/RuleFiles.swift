import BellhopCore
import Foundation

/// Rules and their tests as they stand in files, folders and the configuration.
struct RuleFiles {
    private(set) var rules: [Setting] = []
    private(set) var tests: [Setting] = []
    private let yaml: YAMLReader
    private let diagnostics: Diagnostics

    init(_ yaml: YAMLReader, _ diagnostics: Diagnostics) {
        self.yaml = yaml
        self.diagnostics = diagnostics
    }

    /// Adds what the configuration says under `rules` and `tests`.
    ///
    /// - `folder`: where relative paths start.
    mutating func add(_ options: OptionReader, folder: String) {
        self.tests += self.list("tests", options.optional("tests"), options)
        guard let setting = options.required("rules", "a list of rule files, folders, or rules") else { return }
        let before = self.rules.count
        for element in setting.elementsOrSelf {
            if let path = element.text {
                let full = path.hasPrefix("/") ? path : "\(folder)/\(path)"
                self.add(path: full, shownAs: folder == "." ? path : full, from: element.place)
            } else if !element.isMistaken {
                self.rules.append(element)
            }
        }
        if self.rules.count == before, !self.diagnostics.hasErrors {
            options.error("there is no rule, so nothing would ever be sent", setting)
        }
    }

    /// Adds a file, or the `.yaml` files of a folder in order of name.
    ///
    /// - `place`: where the path was written.
    mutating func add(path: String, shownAs name: String, from place: Place) {
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
            self.diagnostics.error("there is no rule file or folder \(name)", at: place)
            return
        }
        guard isFolder.boolValue else { return self.add(file: path, shownAs: name) }
        let files = ((try? FileManager.default.contentsOfDirectory(atPath: path)) ?? [])
            .filter { ($0.hasSuffix(".yaml") || $0.hasSuffix(".yml")) && !$0.hasPrefix(".") }
            .sorted()
        if files.isEmpty { self.diagnostics.error("the folder \(name) holds no .yaml file", at: place) }
        for file in files { self.add(file: Self.join(path, file), shownAs: Self.join(name, file)) }
    }

    private mutating func add(file: String, shownAs name: String) {
        guard let setting = self.yaml.read(file: file, shownAs: name) else { return }
        let options = OptionReader(setting, owner: "a rule file", diagnostics: self.diagnostics)
        self.tests += self.list("tests", options.optional("tests"), options)
        self.rules += self.list("rules", options.required("rules", "a list of rules"), options)
        options.finish()
    }

    private func list(_ key: String, _ setting: Setting?, _ options: OptionReader) -> [Setting] {
        guard let setting else { return [] }
        guard let elements = setting.elements else {
            options.error("'\(key)' is a list, not \(setting.shown)", setting)
            return []
        }
        return elements
    }

    private static func join(_ folder: String, _ file: String) -> String {
        folder.hasSuffix("/") ? folder + file : "\(folder)/\(file)"
    }
}

/// Rules without a configuration, for `bellhop pipe` and `bellhop test FILES`.
package struct RuleBook: Sendable {
    package let rules: RuleSet
    package let tests: [RuleTest]
}
