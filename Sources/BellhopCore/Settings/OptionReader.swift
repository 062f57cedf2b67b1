/// Reads the options of one mapping: each call names a key, its type and its default, and what nobody asked for is
/// refused by name. Mistakes are collected; a reader always returns a value, so that all of them are found at once.
package final class OptionReader {
    package let setting: Setting
    /// What the options belong to, for messages: `sink 'ops' (slack)`.
    package let owner: String
    package let diagnostics: Diagnostics
    private var asked: [String] = []

    package init(_ setting: Setting, owner: String, diagnostics: Diagnostics) {
        self.setting = setting
        self.owner = owner
        self.diagnostics = diagnostics
        if setting.members == nil, !setting.isNull {
            diagnostics.error("\(owner) is a mapping of options, not \(setting.shown)", at: setting.place)
        }
    }

    /// The keys somebody has asked for so far: after `init` of a component all that it knows.
    package var knownKeys: [String] { self.asked }

    /// Nil where the key is absent, or present without a value.
    package func optional(_ key: String) -> Setting? {
        self.asked.append(key)
        let found = self.setting.members?.first { $0.key == key }?.setting
        return found.flatMap { $0.isNull || $0.isMistaken ? nil : $0 }
    }

    package func required(_ key: String, _ what: String) -> Setting? {
        if let found = self.optional(key) { return found }
        guard self.setting.members?.contains(where: { $0.key == key && $0.setting.isMistaken }) != true else {
            return nil
        }
        self.diagnostics.error("\(self.owner) needs '\(key)': \(what)", at: self.setting.place)
        return nil
    }

    package func string(_ key: String) -> String? {
        self.optional(key).flatMap { self.text($0, key) }
    }

    package func string(_ key: String, default value: String) -> String { self.string(key) ?? value }

    package func requiredString(_ key: String, _ what: String) -> String {
        self.required(key, what).flatMap { self.text($0, key, mayBeEmpty: false) } ?? ""
    }

    package func requiredSecret(_ key: String, _ what: String) -> Secret { Secret(self.requiredString(key, what)) }

    /// A secret, or a list of them.
    package func secrets(_ key: String) -> [Secret] {
        (self.optional(key)?.elementsOrSelf ?? []).compactMap { self.text($0, key, mayBeEmpty: false).map(Secret.init) }
    }

    package func bool(_ key: String, default value: Bool) -> Bool {
        guard let setting = self.optional(key) else { return value }
        if case .bool(let bool) = setting.value { return bool }
        // ${NAME} always expands to a text.
        if setting.isExpanded, let bool = setting.text.flatMap(Bool.init) { return bool }
        self.error("'\(key)' is true or false, not \(setting.shown)", setting)
        return value
    }

    package func integer(_ key: String, default value: Int, in range: ClosedRange<Int>) -> Int {
        guard let setting = self.optional(key) else { return value }
        var written: Number?
        if case .number(let number, _) = setting.value { written = number }
        if setting.isExpanded { written = setting.text.flatMap { Number($0) } }
        guard case .integer(let number) = written, range.contains(Int(number)) else {
            let bounds = "a whole number from \(range.lowerBound) to \(range.upperBound)"
            self.error("'\(key)' is \(bounds), not \(setting.shown)", setting)
            return value
        }
        return Int(number)
    }

    package func duration(_ key: String, default value: Duration, in range: ClosedRange<Duration>) -> Duration {
        guard let setting = self.optional(key) else { return value }
        guard let duration = setting.text.flatMap(Quantity.duration) else {
            self.error("'\(key)' is a duration like 500ms, 10s, 5m, 2h or 7d, not \(setting.shown)", setting)
            return value
        }
        guard range.contains(duration) else {
            let bounds = "\(Quantity.format(range.lowerBound)) to \(Quantity.format(range.upperBound))"
            self.error("'\(key)' is from \(bounds), not \(setting.shown)", setting)
            return value
        }
        return duration
    }

    package func size(_ key: String, default value: Int64, in range: ClosedRange<Int64>) -> Int64 {
        guard let setting = self.optional(key) else { return value }
        guard let size = setting.text.flatMap(Quantity.size), range.contains(size) else {
            self.error(
                "'\(key)' is a size like 64KB, 100MB or 1GiB from \(range.lowerBound)B to \(range.upperBound)B, "
                    + "not \(setting.shown)",
                setting
            )
            return value
        }
        return size
    }

    package func choice<Choice>(_ key: String, default value: Choice) -> Choice
    where Choice: RawRepresentable<String> & CaseIterable {
        guard let setting = self.optional(key) else { return value }
        if let choice = setting.text.flatMap(Choice.init(rawValue:)) { return choice }
        let words = Choice.allCases.map(\.rawValue)
        let near = Spelling.nearest(to: setting.text ?? "", among: words).map { "; did you mean '\($0)'?" } ?? ""
        self.error("'\(key)' is one of \(words.joined(separator: ", ")), not \(setting.shown)\(near)", setting)
        return value
    }

    /// A mapping of names to texts, in the order it was written.
    package func strings(_ key: String) -> [(name: String, value: String, place: Place)] {
        guard let setting = self.optional(key) else { return [] }
        guard let members = setting.members else {
            self.error("'\(key)' is a mapping of names to texts, not \(setting.shown)", setting)
            return []
        }
        return members.compactMap { member in
            self.text(member.setting, member.key).map { (member.key, $0, member.place) }
        }
    }

    /// Options inside a key of their own; an absent key reads as an empty mapping.
    package func nested(_ key: String, owner: String? = nil) -> OptionReader {
        let setting = self.optional(key) ?? Setting(.null, at: self.setting.place)
        return OptionReader(setting, owner: owner ?? "'\(key)' of \(self.owner)", diagnostics: self.diagnostics)
    }

    package func error(_ message: String, _ setting: Setting) {
        self.diagnostics.error("\(message) (\(self.owner))", at: setting.place)
    }

    /// Where a key's value stands, or the mapping itself.
    package func place(of key: String) -> Place {
        self.setting.members?.first { $0.key == key }?.setting.place ?? self.setting.place
    }

    /// Refuses every key that nobody asked for, with the nearest one that exists.
    package func finish() {
        for member in self.setting.members ?? [] where !self.asked.contains(member.key) {
            let hint = Spelling.hint(for: member.key, among: self.asked)
            self.diagnostics.error("unknown key '\(member.key)' in \(self.owner)\(hint)", at: member.place)
        }
    }

    private func text(_ setting: Setting, _ key: String, mayBeEmpty: Bool = true) -> String? {
        guard let text = setting.text else {
            self.error("'\(key)' is a text, not \(setting.shown)", setting)
            return nil
        }
        guard mayBeEmpty || !text.isEmpty else {
            self.error("'\(key)' is empty", setting)
            return nil
        }
        return text
    }
}
