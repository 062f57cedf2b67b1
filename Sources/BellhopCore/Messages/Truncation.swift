/// Cuts texts to what a service takes, with `…` where something is missing, never inside a character.
package enum Truncation {
    /// At most so many characters as people count them (grapheme clusters).
    package static func characters(_ text: String, _ limit: Int) -> String {
        self.cut(text, limit) { _ in 1 }
    }

    /// At most so many Unicode code points.
    package static func codePoints(_ text: String, _ limit: Int) -> String {
        self.cut(text, limit) { $0.unicodeScalars.count }
    }

    /// At most so many UTF-16 code units, as services count that are written in JavaScript, Java or C#.
    package static func utf16(_ text: String, _ limit: Int) -> String {
        self.cut(text, limit) { $0.utf16.count }
    }

    /// At most so many bytes of UTF-8.
    package static func utf8(_ text: String, _ limit: Int) -> String {
        self.cut(text, limit) { $0.utf8.count }
    }

    private static func cut(_ text: String, _ limit: Int, _ size: (Character) -> Int) -> String {
        // No measure exceeds the number of bytes, so most texts need no counting.
        if text.utf8.count <= limit { return text }
        let room = limit - size("…")
        var used = 0
        // Where the ellipsis would stand.
        var cut = text.startIndex
        for index in text.indices {
            used += size(text[index])
            if used > limit { return String(text[..<cut]) + (room >= 0 ? "…" : "") }
            if used <= room { cut = text.index(after: index) }
        }
        return text
    }
}
