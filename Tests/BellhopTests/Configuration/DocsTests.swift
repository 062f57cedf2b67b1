import Bellhop
import BellhopCore
import BellhopTesting
import Foundation
import Testing

/// What users read is true: every example of docs/rules.md is run, and so are the rules that ship.
@Suite struct DocsTests {
    private static let root = "\(#filePath)".replacing("/Tests/BellhopTests/Configuration/DocsTests.swift", with: "")

    /// The YAML of docs/rules.md, each with the line it begins at.
    static let examples: [(line: Int, yaml: String)] = {
        let text = (try? String(contentsOfFile: "\(root)/docs/rules.md", encoding: .utf8)) ?? ""
        var examples: [(line: Int, yaml: String)] = []
        var isInside = false
        for (index, line) in text.components(separatedBy: "\n").enumerated() {
            if line == "```yaml" {
                isInside = true
                examples.append((index + 1, ""))
            } else if line == "```" {
                isInside = false
            } else if isInside {
                examples[examples.count - 1].yaml += line + "\n"
            }
        }
        return examples
    }()

    private func run(_ book: RuleBook) -> [RuleTester.Result] {
        let tester = RuleTester(book.rules) {
            try SampleEvents.event($0, source: "test", now: SampleEvents.testTime)
        }
        return book.tests.map { tester.run($0) }
    }

    private func expectAllCovered(_ book: RuleBook, _ note: Comment) {
        let results = self.run(book)
        for result in results { #expect(result.problems == [], note) }
        #expect(Set(results.flatMap(\.covered)) == Set(book.rules.rules.map(\.name)), note)
    }

    @Test func `there are examples`() {
        #expect(Self.examples.count >= 8)
        let operators = [
            "prefix", "suffix", "equals-ignore-case", "wildcard", "regex", "anything-but", "exists", "numeric", "cidr",
            "after", "before", "during", "$or",
        ]
        let all = Self.examples.map(\.yaml).joined()
        for name in operators { #expect(all.contains("\(name):"), "\(name)") }
    }

    @Test(arguments: examples.map(\.line)) func `an example does what it says`(line: Int) throws {
        let yaml = try #require(Self.examples.first { $0.line == line }?.yaml)
        let reader = ConfigurationReader(environment: [:])
        let book = reader.ruleBook(yaml: yaml, shownAs: "rules.md example at \(line)")
        #expect(reader.diagnostics.all.map(\.description) == [])
        self.expectAllCovered(try #require(book), "docs/rules.md:\(line)")
    }

    @Test func `the rules that ship pass their tests, and each has one`() throws {
        let reader = ConfigurationReader(environment: [:])
        let book = reader.ruleBook(files: ["\(Self.root)/rules"], sends: true)
        #expect(reader.diagnostics.all.map(\.description) == [])
        self.expectAllCovered(try #require(book), "rules/")
    }

    @Test func `the rules that bellhop init writes pass their tests`() throws {
        let reader = ConfigurationReader(environment: [:])
        let book = reader.ruleBook(yaml: Scaffold.rules, shownAs: "scaffold")
        #expect(reader.diagnostics.all.map(\.description) == [])
        self.expectAllCovered(try #require(book), "Scaffold.rules")
    }
}
