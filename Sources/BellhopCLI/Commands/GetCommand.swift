import ArgumentParser
import Bellhop
import BellhopCore
import Foundation
import Logging

struct GetCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "get",
        abstract: "Fetch one event by its id from a source.",
        discussion: """
            Pretty on a terminal, one line when piped. With --forward it also goes through the rules and the spool like any \
            event. Exit code 0 found, 1 not found, 77 not permitted, 75 not reachable.
            """
    )

    @Argument(help: "The source's name in the configuration.") var source: String
    @Argument(help: "The event's id.") var id: String
    @OptionGroup var config: ConfigurationOption
    @Flag(help: "Also run it through the rules, and deliver what matches.") var forward = false
    @Option(help: "How far back to look where a source has to be searched, like 2h or 7d.") var since = "7d"

    func validate() throws {
        if Quantity.duration(self.since) == nil { throw ValidationError("--since is a duration like 2h or 7d") }
    }

    func run() async throws {
        let logger = Logger(label: "bellhop") { _ in LogOutput(level: self.forward ? .info : .error, format: .text) }
        let loaded = try self.config.load(logger, once: true)
        guard let source = loaded.sources.first(where: { $0.name == self.source }) else {
            let hint = Spelling.hint(for: self.source, among: loaded.sources.map(\.name))
            printError("there is no source '\(self.source)'\(hint)")
            throw ExitCode.no
        }
        let since = SystemClock().now() - (Quantity.duration(self.since) ?? .zero)
        let event: Event
        switch await source.find(self.id, since: since) {
        case .event(let found): event = found
        case .absent(let reason):
            try Self.end(reason, .no)
            return
        case .notPermitted(let reason):
            try Self.end(reason, .notPermitted)
            return
        case .unreachable(let reason):
            try Self.end(reason, .tryAgain)
            return
        }
        print(Self.shown(event.data))
        if self.forward {
            try await RunCommand.carry(loaded, sources: [SingleEventSource(event)], logger)
        }
    }

    private static func end(_ reason: String, _ code: ExitCode) throws {
        printError(reason)
        throw code
    }

    private static func shown(_ data: Bytes) -> String {
        guard Terminal.outputIsTerminal, let pretty = try? JSONParser().parse(data, { self.pretty($0, "") }) else {
            return data.string.split(whereSeparator: \.isNewline).joined(separator: " ")
        }
        return pretty
    }

    /// Members in the order they came.
    private static func pretty(_ json: JSON, _ indentation: String) -> String {
        guard json.kind == .object || json.kind == .array, indentation.count < 60 else { return json.json }
        let inner = indentation + "  "
        var lines: [String] = []
        json.forEachMember { name, value in
            lines.append(inner + (json.kind == .object ? "\(JSONText.string(name)): " : "") + self.pretty(value, inner))
            return true
        }
        let (open, close) = json.kind == .object ? ("{", "}") : ("[", "]")
        return lines.isEmpty ? open + close : "\(open)\n\(lines.joined(separator: ",\n"))\n\(indentation)\(close)"
    }
}
