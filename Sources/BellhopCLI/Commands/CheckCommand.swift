import ArgumentParser
import Bellhop
import Logging

struct CheckCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Say what is wrong with the configuration, with places, and what would run.",
        discussion: "The first half of 'bellhop run': opens and sends nothing. Exit code 1 where there is an error."
    )

    @OptionGroup var config: ConfigurationOption

    func run() async throws {
        let loaded = try self.config.load(Logger(label: "bellhop") { _ in SwiftLogNoOpLogHandler() })
        print(loaded.overview.text(isTerminal: Terminal.outputIsTerminal), terminator: "")
        let text = "\(self.config.file) is fine: the spool would be in \(loaded.dataFolder)"
        print(Terminal.style(text, .green, when: Terminal.outputIsTerminal))
    }
}

struct ReferenceCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reference",
        abstract: "Print every option of every source and sink."
    )

    func run() async throws {
        print(Reference.text, terminator: "")
    }
}
