import ArgumentParser
import Bellhop
import BellhopCore
import BellhopServer
import Foundation
import Logging

struct ConfigurationOption: ParsableArguments {
    @Option(name: [.customShort("c"), .customLong("config")], help: "The configuration file.")
    var file = "bellhop.yaml"

    /// Reads the configuration and prints what is wrong with it.
    /// - Throws: exit code 1 where there is an error.
    func load(_ logger: Logger, once: Bool = false) throws -> Configuration {
        guard FileManager.default.fileExists(atPath: self.file) else {
            printError("there is no \(self.file) here; 'bellhop init' writes one, and -c names another")
            throw ExitCode.no
        }
        let reader = ConfigurationReader()
        let loaded = reader.configuration(file: self.file) { folder, guardian in
            ComponentContext(
                clock: SystemClock(),
                http: HTTPClient(userAgent: Version.userAgent, guardian: guardian),
                listener: HummingbirdListener(),
                logger: logger,
                tally: Tally(),
                shutdown: Shutdown(),
                folder: folder,
                once: once
            )
        }
        printDiagnostics(reader.diagnostics)
        guard let loaded else { throw ExitCode.no }
        return loaded
    }
}

func printDiagnostics(_ diagnostics: Diagnostics) {
    for diagnostic in diagnostics.all {
        let style: Terminal.Style = diagnostic.severity == .error ? .red : .yellow
        let label = Terminal.style("\(diagnostic.severity.rawValue):", style, when: Terminal.errorIsTerminal)
        Terminal.shared.print("\(diagnostic.place): \(label) \(diagnostic.message)")
    }
}

extension Configuration {
    /// What would run, a line each.
    var overview: Table {
        var table = Table(["WHAT", "NAME", "KIND", "WHERE"])
        for source in self.sources { table.add(["source", source.name, type(of: source).kind, source.address]) }
        for sink in self.sinks { table.add(["sink", sink.name, type(of: sink).kind, sink.address]) }
        for rule in self.rules.rules {
            let kind = rule.otherwise ? "otherwise" : rule.stop ? "match, stop" : "match"
            table.add(["rule", rule.name, kind, "→ " + rule.sinks.joined(separator: ", ")])
        }
        return table
    }
}

extension Encodable {
    /// Pretty on a terminal, one line when piped.
    var json: String {
        let encoder = JSONEncoder()
        encoder.outputFormatting =
            Terminal.outputIsTerminal
            ? [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes] : [.sortedKeys, .withoutEscapingSlashes]
        return (try? encoder.encode(self)).map { String(decoding: $0, as: UTF8.self) } ?? "null"
    }
}
