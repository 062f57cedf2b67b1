/// How a chat service writes emphasis, and how a value is made harmless there.
package struct Markup: Sendable {
    package let bold: @Sendable (String) -> String
    /// Makes a value of an event show as it is: no formatting, no link, no mention.
    package let escape: @Sendable (String) -> String

    package init(bold: @escaping @Sendable (String) -> String, escape: @escaping @Sendable (String) -> String) {
        self.bold = bold
        self.escape = escape
    }

    /// Nothing but text: as `bellhop test` compares messages.
    package static let plain = Markup(bold: { $0 }, escape: { $0 })
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
            // bob@example.com mentions nobody.
            let isInWord = before.properties.isAlphabetic || ("0"..."9").contains(before)
            return scalar == "@" && !isInWord ? "@\u{200B}" : nil
        }
    }

    /// Where a cut may have torn one of ``entities(_:)`` or a backslash from its character, without the torn part.
    package static func mended(_ text: String) -> String {
        guard text.hasSuffix("…") else { return text }
        var kept = text.unicodeScalars.dropLast()
        if let ampersand = kept.lastIndex(of: "&"), !kept[ampersand...].contains(";") { kept = kept[..<ampersand] }
        let backslashes = kept.reversed().prefix { $0 == "\\" }.count
        if backslashes % 2 == 1 { kept = kept.dropLast() }
        return String(kept) + "…"
    }
}
