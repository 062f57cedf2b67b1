/// Where something stands in a file a user wrote; line and column count from 1.
package struct Place: Sendable, Hashable, Comparable, CustomStringConvertible {
    package let file: String
    package let line: Int
    package let column: Int

    package init(file: String, line: Int, column: Int) {
        self.file = file
        self.line = line
        self.column = column
    }

    package var description: String { "\(self.file):\(self.line):\(self.column)" }

    package static func < (left: Place, right: Place) -> Bool {
        (left.file, left.line, left.column) < (right.file, right.line, right.column)
    }
}

/// A value that a user wrote, and where: what YAML becomes before anybody gives it a meaning.
package struct Setting: Sendable {
    package enum Value: Sendable {
        case null
        case bool(Bool)
        /// A plain decimal number; `text` is how it was written.
        case number(Number, text: String)
        case string(String)
        case list([Setting])
        case map([Member])
        /// What was written had a mistake that has been told; nothing more is to be said of it.
        case mistaken
    }

    package struct Member: Sendable {
        package let key: String
        package let place: Place
        package let setting: Setting

        package init(key: String, place: Place, setting: Setting) {
            self.key = key
            self.place = place
            self.setting = setting
        }
    }

    package let value: Value
    package let place: Place
    /// What came out of environment variables and files to make the text.
    package let expansions: [String]

    package init(_ value: Value, at place: Place, expansions: [String] = []) {
        self.value = value
        self.place = place
        self.expansions = expansions
    }

    /// It may be a secret and is not repeated in messages.
    package var isExpanded: Bool { !self.expansions.isEmpty }

    /// All expansions in it and in what it holds.
    package var allExpansions: [String] {
        switch self.value {
        case .list(let elements): elements.flatMap(\.allExpansions)
        case .map(let members): members.flatMap(\.setting.allExpansions)
        case .null, .bool, .number, .string, .mistaken: self.expansions
        }
    }

    package var members: [Member]? {
        if case .map(let members) = self.value { members } else { nil }
    }

    package var elements: [Setting]? {
        if case .list(let elements) = self.value { elements } else { nil }
    }

    /// A list as it is, and anything else as a list of one.
    package var elementsOrSelf: [Setting] { self.elements ?? [self] }

    /// A scalar's text; `7`, `true` and `null` too, as they were written.
    package var text: String? {
        switch self.value {
        case .string(let text), .number(_, let text): text
        case .bool(let bool): bool ? "true" : "false"
        case .null, .list, .map, .mistaken: nil
        }
    }

    package var isNull: Bool {
        if case .null = self.value { true } else { false }
    }

    package var isMistaken: Bool {
        if case .mistaken = self.value { true } else { false }
    }

    /// The value as a message may show it.
    package var shown: String {
        switch self.value {
        case .null, .mistaken: "nothing"
        case .list: "a list"
        case .map: "a mapping"
        case .bool, .number, .string:
            self.isExpanded ? "the expanded value" : "'\((self.text ?? "").prefix(60))'"
        }
    }
}
