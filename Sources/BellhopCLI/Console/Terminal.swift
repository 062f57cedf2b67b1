import Foundation
import Synchronization

/// Standard error: log lines, errors, and on a terminal one live line below them.
final class Terminal: Sendable {
    static let shared = Terminal()

    static let outputIsTerminal = isatty(STDOUT_FILENO) == 1
    static let errorIsTerminal = isatty(STDERR_FILENO) == 1

    private let liveLine = Mutex("")

    /// Prints a line, above the live one.
    func print(_ line: String) {
        self.liveLine.withLock { live in
            let erase = live.isEmpty ? "" : "\r\u{1B}[K"
            Terminal.write("\(erase)\(line)\n\(live)")
        }
    }

    /// Replaces the live line; an empty one takes it away.
    func show(_ line: String) {
        self.liveLine.withLock { live in
            guard Terminal.errorIsTerminal, live != line else { return }
            live = line
            Terminal.write("\r\u{1B}[K\(line)")
        }
    }

    private static func write(_ text: String) {
        var text = text
        text.withUTF8 { _ = Foundation.write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }

    /// Colours a text for a terminal.
    static func style(_ text: String, _ code: Style, when isTerminal: Bool) -> String {
        isTerminal ? "\u{1B}[\(code.rawValue)m\(text)\u{1B}[0m" : text
    }

    enum Style: Int { case bold = 1, dim = 2, red = 31, green = 32, yellow = 33, cyan = 36 }
}

/// Prints an error as commands do: one sentence on standard error.
func printError(_ message: String) {
    let label = Terminal.style("error:", .red, when: Terminal.errorIsTerminal)
    Terminal.shared.print("bellhop: \(label) \(message)")
}
