import ArgumentParser
import Bellhop
import BellhopCore
import Foundation
import Logging

struct TestCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "test",
        abstract: "Run the tests that stand beside rules.",
        discussion: """
            Without FILES the rules and tests of the configuration; with FILES (rule files or folders) those alone, \
            without a configuration. Exit code 1 where a test fails, or there is none.
            """
    )

    @OptionGroup var config: ConfigurationOption
    @Argument(help: "Rule files or folders.") var files: [String] = []
    @Flag(help: "Print JSON.") var json = false
    @Option(help: "Also write the results to this file, as JUnit XML.") var junit: String?

    func run() async throws {
        let (rules, tests, makeEvent) = try self.load()
        let tester = RuleTester(rules, makeEvent: makeEvent)
        let report = TestReport(results: tests.map { tester.run($0) }, rules: rules.rules)
        print(self.json ? report.json.json : report.text(isTerminal: Terminal.outputIsTerminal))
        if let junit {
            do {
                try report.junit.write(toFile: junit, atomically: true, encoding: .utf8)
            } catch {
                printError("cannot write \(junit): \(error.localizedDescription)")
                throw ExitCode.no
            }
        }
        if tests.isEmpty {
            printError("there are no tests; write some under 'tests:' beside the rules (docs/rules.md shows how)")
        }
        if tests.isEmpty || !report.isGood { throw ExitCode.no }
    }

    private func load() throws -> (RuleSet, [RuleTest], (Bytes) throws -> Event) {
        guard !self.files.isEmpty else {
            let loaded = try self.config.load(Logger(label: "bellhop") { _ in SwiftLogNoOpLogHandler() })
            return (loaded.rules, loaded.tests, { try loaded.event($0, now: SampleEvents.testTime) })
        }
        let reader = ConfigurationReader()
        let book = reader.ruleBook(files: self.files, sends: true)
        printDiagnostics(reader.diagnostics)
        guard let book else { throw ExitCode.no }
        return (book.rules, book.tests, { try SampleEvents.event($0, source: "test", now: SampleEvents.testTime) })
    }
}
