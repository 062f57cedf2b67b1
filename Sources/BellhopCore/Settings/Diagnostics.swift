/// One thing that is wrong, or doubtful, in what a user wrote.
package struct Diagnostic: Sendable, Hashable, CustomStringConvertible {
    package enum Severity: String, Sendable { case error, warning }

    package let severity: Severity
    package let place: Place
    package let message: String

    /// `file:line:column: error: …`, the form that editors and CI systems make clickable.
    package var description: String { "\(self.place): \(self.severity.rawValue): \(self.message)" }
}

/// Collects every mistake of a configuration, so that a user sees them all at once.
package final class Diagnostics {
    private var found: [Diagnostic] = []

    package init() {}

    package func error(_ message: String, at place: Place) {
        self.found.append(Diagnostic(severity: .error, place: place, message: message))
    }

    package func warning(_ message: String, at place: Place) {
        self.found.append(Diagnostic(severity: .warning, place: place, message: message))
    }

    package var hasErrors: Bool { self.found.contains { $0.severity == .error } }

    /// In the order of the files; each once.
    package var all: [Diagnostic] {
        var seen: Set<Diagnostic> = []
        return self.found.filter { seen.insert($0).inserted }.sorted { $0.place < $1.place }
    }
}

/// Finds the word a user probably meant.
package enum Spelling {
    /// The candidate with the fewest edits, if they are few for the word's length.
    package static func nearest(to word: String, among candidates: some Sequence<String>) -> String? {
        let word = word.lowercased()
        let ranked = candidates.map { (distance: self.distance(word, $0.lowercased()), candidate: $0) }
        guard let best = ranked.min(by: { ($0.distance, $0.candidate) < ($1.distance, $1.candidate) }) else {
            return nil
        }
        return best.distance <= max(1, (word.count + 1) / 3) ? best.candidate : nil
    }

    /// ` Did you mean 'x'?`, or the known words where nothing is near.
    package static func hint(for word: String, among candidates: some Sequence<String>) -> String {
        if let nearest = self.nearest(to: word, among: candidates) { return "; did you mean '\(nearest)'?" }
        let known = Set(candidates).sorted().joined(separator: ", ")
        return known.isEmpty ? "" : "; known here: \(known)"
    }

    /// Edits (insert, remove, replace, swap of neighbours) that turn one word into the other.
    private static func distance(_ one: String, _ other: String) -> Int {
        let one = Array(one.utf8), other = Array(other.utf8)
        guard !one.isEmpty, !other.isEmpty else { return max(one.count, other.count) }
        var beforeLast: [Int] = []
        var last = Array(0...other.count)
        for i in 1...one.count {
            var row = [i]
            for j in 1...other.count {
                var best = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (one[i - 1] == other[j - 1] ? 0 : 1))
                if i > 1, j > 1, one[i - 1] == other[j - 2], one[i - 2] == other[j - 1] {
                    best = min(best, beforeLast[j - 2] + 1)
                }
                row.append(best)
            }
            beforeLast = last
            last = row
        }
        return last[other.count]
    }
}
