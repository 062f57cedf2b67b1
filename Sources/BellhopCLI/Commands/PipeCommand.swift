import ArgumentParser
import Bellhop
import Foundation

struct PipeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pipe",
        abstract: "Print the events on standard input that at least one rule matches.",
        discussion:
            "Lines of JSON in, matching lines out, unchanged and in order. Where they are sent does not matter. "
            + "Exit code 1 where a line was no JSON object."
    )

    @Option(
        name: [.customShort("r"), .customLong("rules")],
        help: "A rule file or folder; may be given several times."
    )
    var rules: [String]

    func validate() throws {
        if self.rules.isEmpty { throw ValidationError("-r RULES is needed: a rule file or folder") }
    }

    func run() async throws {
        let reader = ConfigurationReader()
        let book = reader.ruleBook(files: self.rules, sends: false)
        printDiagnostics(reader.diagnostics)
        guard let rules = book?.rules else { throw ExitCode.no }
        let filter = EventFilter(rules, width: ProcessInfo.processInfo.activeProcessorCount + 1)
        do {
            let summary = try await filter.run(input: STDIN_FILENO, output: STDOUT_FILENO) { line, reason in
                printError("line \(line) is \(reason)")
            }
            if summary.bad > 0 { throw ExitCode.no }
        } catch FilterError.closed {
            // `bellhop pipe | head`: whoever reads has enough.
            return
        } catch let error as FilterError {
            printError("\(error)")
            throw ExitCode.no
        }
    }
}
