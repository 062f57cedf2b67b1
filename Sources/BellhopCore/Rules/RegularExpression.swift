import CRE2

/// A regular expression in RE2 syntax (https://github.com/google/re2/wiki/Syntax), found anywhere in a text, in time
/// linear in its length.
package struct RegularExpression: Sendable, Hashable {
    package let source: String
    private let compiled: Compiled

    /// Bytes that RE2 may use for one expression and its cache; beyond it the search gets slower, never wrong.
    private static let memory = 1 << 20

    /// - Throws: ``RegularExpressionError`` with RE2's words.
    package init(_ source: String) throws(RegularExpressionError) {
        self.source = source
        self.compiled = Compiled(source, memory: RegularExpression.memory)
        if let reason = self.compiled.error { throw RegularExpressionError(reason: reason) }
    }

    func isFound(in text: UnsafeRawBufferPointer) -> Bool {
        bh_regex_finds(self.compiled.regex, text.baseAddress?.assumingMemoryBound(to: CChar.self), text.count)
    }

    package static func == (left: RegularExpression, right: RegularExpression) -> Bool {
        left.source.utf8.elementsEqual(right.source.utf8)
    }

    package func hash(into hasher: inout Hasher) { hasher.combine(self.source) }

    /// Owns RE2's object.
    // @unchecked: RE2 objects may be used by several threads at once (re2.h, "thread-safe").
    private final class Compiled: @unchecked Sendable {
        let regex: OpaquePointer

        init(_ source: String, memory: Int) {
            var source = source
            self.regex = source.withUTF8 { utf8 in
                utf8.withMemoryRebound(to: CChar.self) { bh_regex_create($0.baseAddress, $0.count, memory) }
            }
        }

        deinit { bh_regex_destroy(self.regex) }

        var error: String? { bh_regex_error(self.regex).map { String(cString: $0) } }
    }
}

package struct RegularExpressionError: Error, Hashable, CustomStringConvertible {
    package let reason: String

    package var description: String {
        let hint = self.reason.contains("perl") || self.reason.contains("escape") || self.reason.contains("(?")
        return self.reason + (hint ? " (RE2 has no lookaround and no back-references)" : "")
    }
}
