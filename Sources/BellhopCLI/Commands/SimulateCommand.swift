import ArgumentParser
import Bellhop
import BellhopCore
import BellhopSimulator
import Foundation
import UnixSignals

struct SimulateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "simulate",
        abstract: "Play a vendor's API or a receiver on loopback.",
        subcommands: [RelayPro.self, Trieve.self, Receiver.self]
    )

    struct RelayPro: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "relay-pro",
            abstract: "A Relay Pro events API that tells believable stories.",
            discussion: "Quirks:\n"
                + RelayQuirk.allCases
                .map { "  \($0.rawValue)\(String(repeating: " ", count: 16 - $0.rawValue.count))\($0.explanation)" }
                .joined(separator: "\n")
        )

        @Option(help: "0 for a free one.")
        var port = 8700
        @Option(help: "Events that are there from the start.")
        var events = 0
        @Option(help: "Alerts that begin in a second.")
        var rate = 0.0
        @Option(help: "A trap to play; may be given several times.")
        var quirk: [RelayQuirk] = []
        @Option(help: "The same number tells the same stories.")
        var seed: UInt64 = 1
        @Option(help: "The key to accept.")
        var apiKey = "apikey123"

        func run() async throws {
            var settings = RelayProSimulator.Settings()
            settings.events = self.events
            settings.rate = self.rate
            settings.quirks = Set(self.quirk)
            settings.seed = self.seed
            settings.apiKey = self.apiKey
            settings.samples = true
            let simulator = RelayProSimulator(settings, now: { SystemClock().now() })
            let server = try await Self.serve(port: self.port) { simulator.answer($0) }
            print("a Relay Pro API listens at \(server.url) (base_url), key \(self.apiKey), any subscriber")
            fflush(nil)
            await waitForSignal()
            print(
                "\(simulator.requests) requests, \(simulator.servedIDs.count) of \(simulator.ids.count) events given out"
            )
            await server.close()
        }
    }

    struct Trieve: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "trieve",
            abstract: "A Trieve server's analytics: both lists, and one event by its id.",
            discussion: "Quirks:\n"
                + TrieveQuirk.allCases
                .map { "  \($0.rawValue)\(String(repeating: " ", count: 16 - $0.rawValue.count))\($0.explanation)" }
                .joined(separator: "\n")
        )

        @Option(help: "0 for a free one.")
        var port = 8750
        @Option(help: "Events of the last hours.")
        var events = 100
        @Option(help: "A trap to play; may be given several times.")
        var quirk: [TrieveQuirk] = []
        @Option(help: "The key to accept.")
        var apiKey = "tr-key123"

        func run() async throws {
            var settings = TrieveSimulator.Settings()
            settings.quirks = Set(self.quirk)
            settings.apiKey = self.apiKey
            let start = SystemClock().now() - .seconds(2 * self.events)
            let rows = TrieveSimulator.rows(self.events, from: start, pace: 2, dataset: settings.dataset)
            let simulator = TrieveSimulator(settings, rows: rows, now: { SystemClock().now() })
            let server = try await RelayPro.serve(port: self.port) { simulator.answer($0) }
            print(
                "a Trieve server listens at \(server.url) (base_url), key \(self.apiKey), dataset \(settings.dataset)"
            )
            print("an event: \(rows.first { $0.dataset == settings.dataset }?.id ?? "none")")
            fflush(nil)
            await waitForSignal()
            await server.close()
        }
    }

    struct Receiver: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "receiver",
            abstract: "A webhook receiver that prints and counts what it gets, and fails as it is told.",
            discussion: "GET on any path answers with the counts as JSON."
        )

        @Option(help: "0 for a free one.")
        var port = 8800
        @Option(help: "STATUSxN: answer the first N requests with this status; may be given several times.")
        var fail: [String] = []
        @Option(help: "Answer all others with this status.")
        var status = 200
        @Option(help: "A Retry-After header: seconds or an HTTP date.")
        var retryAfter: String?
        @Option(help: "Wait before answering, like 5s.")
        var delay = "0s"
        @Flag(help: "Print only the counts at the end.")
        var quiet = false

        func validate() throws {
            _ = try self.settings()
        }

        func run() async throws {
            let isQuiet = self.quiet
            let receiver = ReceiverSimulator(try self.settings(), keepsBodies: false) { request, status in
                guard !isQuiet else { return }
                print(Self.line(request, status))
                fflush(nil)
            }
            let server = try await SimulateCommand.RelayPro.serve(port: self.port) { receiver.answer($0) }
            print("a receiver listens at \(server.url)")
            fflush(nil)
            await waitForSignal()
            let distinct = receiver.ids.count
            print("\(receiver.requests) requests, \(receiver.accepted) accepted, \(distinct) distinct webhook-ids")
            await server.close()
        }

        private func settings() throws -> ReceiverSimulator.Settings {
            var settings = ReceiverSimulator.Settings()
            for text in self.fail {
                let parts = text.split(separator: "x").map { Int($0) }
                guard parts.count == 2, let status = parts[0], (100...599).contains(status), let count = parts[1],
                    count > 0
                else {
                    throw ValidationError("--fail is a status and how often, like 503x3, not '\(text)'")
                }
                settings.script += ReceiverSimulator.failures(Array(repeating: status, count: count))
            }
            guard let delay = Quantity.duration(self.delay) else {
                throw ValidationError("--delay is a duration like 500ms or 5s, not '\(self.delay)'")
            }
            settings.status = self.status
            settings.retryAfter = self.retryAfter
            settings.delay = delay
            return settings
        }

        /// What came, as a person wants to see it: the message of a chat payload, else the start of the body.
        private static func line(_ request: SimulatedRequest, _ status: Int) -> String {
            let body = Bytes(String(decoding: request.body, as: UTF8.self))
            let message = try? JSONParser().parse(body) { $0["text"]?.leaf.string }
            let text = (message ?? nil) ?? String(body.string.prefix(120))
            return "\(status) \(request.path)  \(text)"
        }
    }
}

extension SimulateCommand.RelayPro {
    static func serve(
        port: Int,
        _ answer: @escaping @Sendable (SimulatedRequest) -> SimulatedAnswer
    ) async throws -> SimulatedServer {
        do {
            return try await SimulatedServer(port: port, answer: answer)
        } catch {
            printError("cannot listen on 127.0.0.1:\(port) (\(error)); --port names another, 0 takes a free one")
            throw ExitCode.no
        }
    }
}

private func waitForSignal() async {
    for await _ in await UnixSignalsSequence(trapping: .sigterm, .sigint) { return }
}

extension RelayQuirk: ExpressibleByArgument {}
extension TrieveQuirk: ExpressibleByArgument {}
