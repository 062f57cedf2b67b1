import ArgumentParser
import Bellhop
import BellhopCore
import Foundation
import Logging

/// Where a command takes its event from.
struct EventArgument: ParsableArguments {
    @Argument(help: "A file with one event as JSON; - is standard input.") var file: String?
    @Option(help: "Read it as this source of the configuration would; the first by default.") var source: String?

    /// Nil where no file was named.
    /// - Throws: exit code 1 where it is no event, after saying so.
    func event(_ loaded: Configuration) throws -> Event? {
        guard let file else { return nil }
        let data: Data
        do {
            data =
                try file == "-"
                ? FileHandle.standardInput.readToEnd() ?? Data() : Data(contentsOf: URL(fileURLWithPath: file))
        } catch {
            let isThere = FileManager.default.fileExists(atPath: file)
            printError(isThere ? "cannot read \(file): \(error.localizedDescription)" : "there is no file \(file)")
            throw ExitCode.no
        }
        // Some editors begin a file with a byte order mark.
        let text = data.starts(with: [0xEF, 0xBB, 0xBF]) ? data.dropFirst(3) : data
        return try self.event(text.withUnsafeBytes { Bytes(copying: $0) }, loaded)
    }

    func event(_ data: Bytes, _ loaded: Configuration) throws -> Event {
        do {
            return try loaded.event(data, source: self.source, now: SystemClock().now())
        } catch {
            printError("\(self.file.map { $0 == "-" ? "standard input" : $0 } ?? "the event") is no event: \(error)")
            throw ExitCode.no
        }
    }
}

struct ExplainCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "explain",
        abstract: "Say of an event which rules match it, or why not, and what each sink would be sent.",
        discussion: "Nothing is sent. Secrets are masked. Without a file, the event is read from standard input."
    )

    @OptionGroup var config: ConfigurationOption
    @OptionGroup var argument: EventArgument
    @Flag(help: "Print JSON.") var json = false

    func run() async throws {
        let loaded = try self.config.load(Logger(label: "bellhop") { _ in SwiftLogNoOpLogHandler() })
        var argument = self.argument
        argument.file = argument.file ?? "-"
        guard let event = try argument.event(loaded) else { return }
        let story = ExplanationStory(event, try loaded.rules.explain(event), loaded.sinks)
        print(self.json ? story.json.json : story.text(isTerminal: Terminal.outputIsTerminal))
    }
}

struct SendCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "send",
        abstract: "Deliver one test event to a sink now, and say what the receiver answered.",
        discussion: """
            Nothing goes through the spool. Without a file, an acknowledged alert that says it is a test. Exit code 0 \
            where it was delivered, 1 where it was refused, 75 where another time may do.
            """
    )

    @Argument(help: "The sink's name.") var sink: String
    @OptionGroup var config: ConfigurationOption
    @OptionGroup var argument: EventArgument
    @Option(help: "Use this rule's message, title or body.") var rule: String?

    func run() async throws {
        let loaded = try self.config.load(Logger(label: "bellhop") { _ in SwiftLogNoOpLogHandler() })
        guard let sink = loaded.sinks.first(where: { $0.name == self.sink }) else {
            printError(
                "there is no sink '\(self.sink)'\(Spelling.hint(for: self.sink, among: loaded.sinks.map(\.name)))"
            )
            throw ExitCode.no
        }
        let rule = try self.rule.map { name in
            guard let rule = loaded.rules[name: name] else {
                let hint = Spelling.hint(for: name, among: loaded.rules.rules.map(\.name))
                printError("there is no rule '\(name)'\(hint)")
                throw ExitCode.no
            }
            return rule
        }
        let now = SystemClock().now()
        let sample = SampleEvents.acknowledged(id: "test-\(UUID().uuidString.lowercased())", at: now)
        let event = try self.argument.event(loaded) ?? self.argument.event(sample, loaded)
        let delivery = Delivery(
            id: 1,
            event: event,
            rule: rule ?? Rule(name: "bellhop-send", sinks: [self.sink]),
            sink: self.sink,
            attempt: 1
        )
        let verdict = await sink.deliver([delivery])[0]
        await sink.close()
        let place = "\(sink.name) (\(type(of: sink).kind), \(sink.address))"
        switch verdict {
        case .success(let answer):
            Terminal.shared.print("delivered to \(place): \(answer)")
        case .failure(let error):
            printError("not delivered to \(place): \(error.reason)")
            switch error {
            case .transient, .unreachable, .unanswered, .throttled, .cancelled: throw ExitCode.tryAgain
            case .permanent, .unsendable, .gone: throw ExitCode.no
            }
        }
    }
}
