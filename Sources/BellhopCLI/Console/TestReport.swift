import BellhopCore
import Foundation

/// The results of rules' tests, for people, programs and CI servers.
struct TestReport {
    let results: [RuleTester.Result]
    let rules: [Rule]

    var isGood: Bool { self.results.allSatisfy(\.problems.isEmpty) }

    private var failures: Int { self.results.count { !$0.problems.isEmpty } }

    /// Rules whose deliveries no test expects.
    private var uncovered: [String] {
        let covered = Set(self.results.flatMap(\.covered))
        return self.rules.map(\.name).filter { !covered.contains($0) }
    }

    /// The results of each file, in the order read.
    private var byFile: [(file: String, results: [RuleTester.Result])] {
        var files: [(file: String, results: [RuleTester.Result])] = []
        for result in self.results {
            if files.last?.file != result.test.place.file { files.append((result.test.place.file, [])) }
            files[files.count - 1].results.append(result)
        }
        return files
    }

    // MARK: - For people

    func text(isTerminal: Bool) -> String {
        func style(_ text: String, _ style: Terminal.Style) -> String { Terminal.style(text, style, when: isTerminal) }
        var lines: [String] = []
        for (file, results) in self.byFile {
            lines.append(style(file, .bold))
            for result in results {
                let mark = result.problems.isEmpty ? style("✔", .green) : style("✘", .red)
                lines.append("  \(mark) \(result.test.name)")
                for problem in result.problems {
                    lines.append("      \(problem.place): \(problem.message)")
                    lines += Self.difference(problem).map { "        \($0)" }
                }
            }
        }
        let count = self.results.count
        var summary = count == 0 ? "no tests" : "\(count) test\(count == 1 ? "" : "s")"
        if count > 0 { summary += self.isGood ? ", all passed" : ", \(self.failures) failed" }
        lines.append(style(summary, self.isGood ? .green : .red))
        if !self.uncovered.isEmpty {
            lines.append("rules without a test: \(self.uncovered.joined(separator: ", "))")
        }
        return lines.joined(separator: "\n")
    }

    /// Both texts one above the other, and where they part.
    private static func difference(_ problem: RuleTester.Problem) -> [String] {
        let actual = problem.actual.map { "actual    \(self.shown($0))" }
        guard let wanted = problem.expected, let seen = problem.actual else { return [actual].compactMap { $0 } }
        let common = zip(self.shown(wanted), self.shown(seen)).prefix { $0 == $1 }.count
        return [
            "expected  \(self.shown(wanted))", actual ?? "",
            String(repeating: " ", count: 10 + common) + "^",
        ]
    }

    private static func shown(_ text: String) -> String {
        text.replacing("\n", with: "⏎").replacing("\t", with: "⇥")
    }

    // MARK: - For programs

    struct JSON: Encodable {
        struct Test: Encodable {
            struct Problem: Encodable { let message: String, place: String, expected: String?, actual: String? }

            let name: String, file: String, line: Int, passed: Bool, problems: [Problem]
        }

        let tests: [Test]
        let passed: Int, failed: Int
        let uncovered: [String]
    }

    var json: JSON {
        JSON(
            tests: self.results.map { result in
                JSON.Test(
                    name: result.test.name,
                    file: result.test.place.file,
                    line: result.test.place.line,
                    passed: result.problems.isEmpty,
                    problems: result.problems.map {
                        .init(message: $0.message, place: "\($0.place)", expected: $0.expected, actual: $0.actual)
                    }
                )
            },
            passed: self.results.count - self.failures,
            failed: self.failures,
            uncovered: self.uncovered
        )
    }

    // MARK: - For CI servers

    /// JUnit XML, as Jenkins, GitLab and GitHub's actions read it.
    var junit: String {
        var lines = [
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>",
            "<testsuites name=\"bellhop\" tests=\"\(self.results.count)\" failures=\"\(self.failures)\">",
        ]
        for (file, results) in self.byFile {
            let failures = results.count { !$0.problems.isEmpty }
            lines.append("  <testsuite name=\(Self.xml(file)) tests=\"\(results.count)\" failures=\"\(failures)\">")
            for result in results {
                let place = "file=\(Self.xml(file)) line=\"\(result.test.place.line)\""
                let head = "    <testcase name=\(Self.xml(result.test.name)) classname=\(Self.xml(file)) \(place)"
                guard let first = result.problems.first else {
                    lines.append(head + "/>")
                    continue
                }
                let text = result.problems.flatMap { ["\($0.place): \($0.message)"] + Self.difference($0) }
                    .joined(separator: "\n")
                lines.append(
                    "\(head)><failure message=\(Self.xml(first.message))>\(Self.escaped(text))</failure></testcase>"
                )
            }
            lines.append("  </testsuite>")
        }
        return (lines + ["</testsuites>"]).joined(separator: "\n") + "\n"
    }

    private static func xml(_ text: String) -> String { "\"\(self.escaped(text))\"" }

    /// Without the control characters that XML 1.0 cannot hold.
    private static func escaped(_ text: String) -> String {
        Markup.entities(Markup.withoutControls(text)).replacing("\"", with: "&quot;")
    }
}
