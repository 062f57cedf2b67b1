import Synchronization

/// Hides configured secrets in texts of others: error pages repeat URLs and headers.
package final class Redactor: Sendable {
    private struct State {
        var words: Set<String> = []
        /// Long ones first, or a part would spoil the whole.
        var sorted: [String]?
    }

    private let state = Mutex(State())

    package init() {}

    /// A secret, and each word of it that may be a key by itself.
    package func add(_ secret: Secret) {
        let text = secret.reveal()
        var parts = [text]
        if let scheme = text.firstRange(of: "://") {
            // Of a URL the host may be shown, but not what follows it, nor a proxy's user and password before it.
            let rest = text[scheme.upperBound...]
            let authority = rest.prefix { !"/?#".contains($0) }
            parts = [String(rest.dropFirst(authority.count))]
            if let at = authority.lastIndex(of: "@") { parts.append(String(authority[..<at])) }
        }
        var words = [text] + parts
        words += parts.flatMap { $0.split { "/?&=#@: ,;\n".contains($0) }.map(String.init) }.filter(Redactor.mayBeKey)
        words += words.flatMap {
            [
                $0.percentDecoded, $0.replacing("/", with: "\\/"), $0.replacing("&", with: "&amp;"),
                String(JSONText.string($0).dropFirst().dropLast()),
            ]
        }
        self.state.withLock { state in
            for word in words where word.utf8.count > 3 { state.words.insert(word) }
            state.sorted = nil
        }
    }

    package func redact(_ text: String) -> String {
        let words = self.state.withLock { state in
            let sorted = state.sorted ?? state.words.sorted { $0.utf8.count > $1.utf8.count }
            state.sorted = sorted
            return sorted
        }
        var text = text
        for word in words where text.contains(word) { text = text.replacing(word, with: "<secret>") }
        return text
    }

    /// Words like `hooks` and `https` are no keys: those are long, or have digits.
    private static func mayBeKey(_ word: String) -> Bool {
        let count = word.utf8.count
        let hasDigit = word.utf8.contains { (48...57).contains($0) }
        return count >= 10 || count >= 5 && hasDigit
    }
}
