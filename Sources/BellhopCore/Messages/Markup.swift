/// How a chat service writes emphasis, and how a value is made harmless there.
package struct Markup: Sendable {
    package let bold: @Sendable (String) -> String
    /// Makes a value of an event show as it is: no formatting, no link, no mention.
    package let escape: @Sendable (String) -> String

    /// Code points of one value; no service takes longer texts, and escaping megabytes to cut them would take seconds.
    private static let valueLimit = 20_000

    package init(bold: @escaping @Sendable (String) -> String, escape: @escaping @Sendable (String) -> String) {
        self.bold = bold
        self.escape = { escape(Truncation.codePoints($0, Markup.valueLimit)) }
    }

    private init() {
        self.bold = { $0 }
        self.escape = { $0 }
    }

    /// Nothing but text, all of it: as `bellhop test` compares messages.
    package static let plain = Markup()
    /// Text of one paragraph for services without markup.
    package static let clean = Markup(bold: { $0 }, escape: { Markup.withoutControls($0) })

    // MARK: - What escapes are made of

    /// Without control characters but line feed and tab, and without those that change the direction of what follows
    /// (U+202A–E, U+2066–9): a name must not turn the sentence around it.
    package static func withoutControls(_ text: String) -> String {
        func isHarmless(_ scalar: Unicode.Scalar) -> Bool {
            switch scalar.value {
            case 0x0A, 0x09: true
            case 0..<0x20, 0x7F..<0xA0, 0x202A...0x202E, 0x2066...0x2069: false
            default: true
            }
        }
        guard !text.unicodeScalars.allSatisfy(isHarmless) else { return text }
        return String(String.UnicodeScalarView(text.unicodeScalars.filter(isHarmless)))
    }

    /// Each of these characters as `replacement` says.
    package static func replacing(_ text: String, _ replacement: (Unicode.Scalar) -> String?) -> String {
        var out = ""
        out.reserveCapacity(text.utf8.count)
        for scalar in text.unicodeScalars {
            if let replaced = replacement(scalar) { out += replaced } else { out.unicodeScalars.append(scalar) }
        }
        return out
    }

    /// `&`, `<` and `>` as entities.
    package static func entities(_ text: String) -> String {
        self.replacing(text) { scalar in
            switch scalar {
            case "&": "&amp;"
            case "<": "&lt;"
            case ">": "&gt;"
            default: nil
            }
        }
    }

    /// A backslash before each of these characters.
    package static func backslashed(_ text: String, _ special: Set<Unicode.Scalar>) -> String {
        self.replacing(text) { special.contains($0) ? "\\\($0)" : nil }
    }

    /// `@` that begins a word is followed by an invisible space (U+200B), so that it mentions nobody.
    package static func withoutMentions(_ text: String) -> String {
        var before: Unicode.Scalar = " "
        return self.replacing(text) { scalar in
            defer { before = scalar }
            // bob@example.com mentions nobody. Services differ in what else is a letter.
            let isInWord = ("a"..."z").contains(before) || ("A"..."Z").contains(before) || ("0"..."9").contains(before)
            return scalar == "@" && !isInWord ? "@\u{200B}" : nil
        }
    }

    /// Without what a cut tore of an entity that ``entities(_:)`` made.
    package static func mendedEntities(_ text: String) -> String {
        guard text.hasSuffix("…") else { return text }
        let kept = text.unicodeScalars.dropLast()
        guard let ampersand = kept.suffix(4).lastIndex(of: "&") else { return text }
        let torn = String(kept[ampersand...])
        guard ["&amp;", "&lt;", "&gt;"].contains(where: { $0.hasPrefix(torn) && $0 != torn }) else { return text }
        return String(kept[..<ampersand]) + "…"
    }

    /// Without a backslash that a cut tore from its character.
    package static func mendedBackslashes(_ text: String) -> String {
        guard text.hasSuffix("…") else { return text }
        let kept = text.unicodeScalars.dropLast()
        let backslashes = kept.reversed().prefix { $0 == "\\" }.count
        return backslashes % 2 == 1 ? String(kept.dropLast()) + "…" : text
    }

    /// Nothing in it can be seen.
    package static func isBlank(_ text: String) -> Bool {
        text.unicodeScalars.allSatisfy { scalar in
            scalar.properties.isWhitespace || scalar.properties.generalCategory == .control
                || scalar.properties.generalCategory == .format
        }
    }
}
