import ArgumentParser
import Bellhop
import BellhopCore
import Foundation
import Logging
import ServiceLifecycle
import Synchronization
import UnixSignals

struct RunCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Read events, match them and deliver them, until told to stop.",
        discussion: """
            SIGTERM and SIGINT stop it in order: sources first, then attempts under way. A second one stops it at once.
            SIGHUP opens files again, and tries sinks again that seem down or were disabled. Exit code 1 means that not everything could be read or delivered.
            """
    )

    @OptionGroup var config: ConfigurationOption
    @Flag(help: "Stop when the sources are caught up and everything is delivered.")
    var once = false
    @Option(help: "trace, debug, info, warning or error.")
    var logLevel: Logger.Level = .info
    @Option(help: "text or json.")
    var logFormat: LogOutput.Format = .text

    func run() async throws {
        let (level, format) = (self.logLevel, self.logFormat)
        let logger = Logger(label: "bellhop") { _ in LogOutput(level: level, format: format) }
        let loaded = try self.config.load(logger, once: self.once)
        try await Self.carry(loaded, sources: loaded.sources, logger)
    }

    /// Carries what these sources give out, until somebody stops it or, where the context says `once`, all is settled.
    /// - Throws: the exit code.
    static func carry(_ loaded: Configuration, sources: [any Source], _ logger: Logger) async throws {
        let spool: SQLiteSpool
        let lock: OwnerLock
        do {
            (spool, lock) = try OwnerLock.open(loaded)
        } catch {
            printError("\(error)")
            if case SpoolError.inUse = error { throw ExitCode.tryAgain }
            throw ExitCode.no
        }
        let started = SystemClock().now()
        logger.info("\(self.inForce(loaded))")
        await self.warnOfForgotten(loaded, spool, logger)
        let pipeline = Pipeline(
            sources: sources,
            sinks: loaded.sinks,
            rules: loaded.rules,
            spool: spool,
            retention: loaded.retention,
            context: loaded.context
        )
        let progress = Progress(tally: loaded.context.tally, sources: sources.map(\.name))
        let watchers = Watchers(loaded, sources: sources.map(\.name), spool: spool, started: started)
        var fault: String?
        do {
            try await self.run(pipeline, progress, watchers, logger)
        } catch {
            fault = "\(error)"
        }
        loaded.context.http.close()
        let pending = (try? await spool.pendingSinks().values.reduce(0, +)) ?? 0
        try? await spool.close()
        withExtendedLifetime(lock) {}
        let counts = loaded.context.tally.current
        Terminal.shared.show("")
        if let fault { printError(fault) }
        logger.info("\(Self.summary(counts, pending: pending, took: SystemClock().now() - started))")
        if fault != nil || (loaded.context.once && !Self.isWell(counts, pending: pending)) { throw ExitCode.no }
    }

    private static func run(
        _ pipeline: Pipeline,
        _ progress: Progress,
        _ watchers: Watchers,
        _ logger: Logger
    ) async throws {
        var quiet = logger
        quiet.logLevel = .error
        let group = ServiceGroup(
            configuration: .init(
                services: [
                    .init(
                        service: pipeline,
                        successTerminationBehavior: .gracefullyShutdownGroup,
                        failureTerminationBehavior: .gracefullyShutdownGroup
                    )
                ],
                logger: quiet
            )
        )
        try await withThrowingTaskGroup(of: Bool.self) { tasks in
            tasks.addTask {
                try await group.run()
                return true
            }
            tasks.addTask {
                await progress.run()
                return false
            }
            tasks.addTask {
                await watchers.run()
                return false
            }
            tasks.addTask {
                await Self.obeySignals(group, pipeline, watchers, logger)
                return false
            }
            while let isOver = try await tasks.next() {
                if isOver { tasks.cancelAll() }
            }
        }
    }

    private static func obeySignals(
        _ group: ServiceGroup,
        _ pipeline: Pipeline,
        _ watchers: Watchers,
        _ logger: Logger
    ) async {
        var isStopping = false
        for await signal in await UnixSignalsSequence(trapping: .sigterm, .sigint, .sighup) {
            if signal == .sighup {
                logger.info("files are opened again, and suspended sinks tried again")
                await pipeline.reopen()
            } else if isStopping {
                Terminal.shared.show("")
                Terminal.shared.print(
                    "bellhop: stopped at once; deliveries under way will be repeated with the same webhook-id"
                )
                _exit(130)
            } else {
                isStopping = true
                watchers.stopping()
                logger.info(
                    "stopping: attempts under way have \(Quantity.format(Pipeline.grace)); a second signal stops at once"
                )
                await group.triggerGracefulShutdown()
                // A disk or pipe that holds a write for ever must not hold the process.
                DispatchQueue.global().asyncAfter(deadline: .now() + Pipeline.grace.inSeconds + 5) { _exit(1) }
            }
        }
    }

    private static func inForce(_ loaded: Configuration) -> String {
        let sources = loaded.sources.map { "\($0.name) (\(type(of: $0).kind), \($0.address))" }.joined(separator: ", ")
        let sinks = loaded.sinks.map { "\($0.name) (\(type(of: $0).kind), \($0.address))" }.joined(separator: ", ")
        let count = loaded.rules.rules.count
        return "bellhop \(Version.text) reads \(sources); \(count) rule\(count == 1 ? "" : "s"); sends to \(sinks); "
            + "spool in \(loaded.dataFolder)"
    }

    /// Deliveries for a sink that the configuration no longer has would wait unseen.
    private static func warnOfForgotten(_ loaded: Configuration, _ spool: SQLiteSpool, _ logger: Logger) async {
        let known = Set(loaded.sinks.map(\.name))
        for (sink, count) in (try? await spool.pendingSinks(but: known)) ?? [:] {
            logger.warning("\(count) deliveries wait for the sink '\(sink)', which the configuration does not have")
        }
    }

    private static func isWell(_ counts: Tally.Counts, pending: Int) -> Bool {
        counts.deadLetters == 0 && counts.held == 0 && pending == 0
            && counts.sources.values.allSatisfy { $0.problem == nil && $0.possibleLosses.isEmpty }
    }

    private static func summary(_ counts: Tally.Counts, pending: Int, took: Duration) -> String {
        var parts = ["\(counts.events.grouped) new events"]
        if counts.known > 0 { parts.append("\(counts.known.grouped) known skipped") }
        if counts.rejected > 0 { parts.append("\(counts.rejected.grouped) rejected (bellhop rejected list)") }
        let perSink = counts.sinks.sorted { $0.key < $1.key }.filter { $0.value.delivered > 0 }
            .map { "\($0.key) \($0.value.delivered.grouped)" }.joined(separator: ", ")
        parts.append("\(counts.delivered.grouped) delivered" + (perSink.isEmpty ? "" : " (\(perSink))"))
        if counts.retries > 0 { parts.append("\(counts.retries.grouped) attempts repeated") }
        let postponed = counts.sinks.values.reduce(0) { $0 + $1.postponed }
        if postponed > 0 { parts.append("\(postponed.grouped) attempts put off by receivers (429)") }
        if counts.deadLetters > 0 {
            parts.append(
                "\(counts.deadLetters.grouped) dead letter\(counts.deadLetters == 1 ? "" : "s") (bellhop dead-letters list)"
            )
        }
        if counts.held > 0 {
            parts.append("\(counts.held.grouped) held for you (bellhop deliveries list --state held)")
        }
        if pending > 0 { parts.append("\(pending.grouped) pending in the spool") }
        let losses = counts.sources.values.reduce(0) { $0 + $1.possibleLosses.count }
        if losses > 0 { parts.append("\(losses) possible loss\(losses == 1 ? "" : "es"), see above") }
        for (name, sink) in counts.sinks.sorted(by: { $0.key < $1.key }) {
            if let problem = sink.problem {
                parts.append("sink \(name) \(sink.isDisabled ? "is disabled" : "could not be reached"): \(problem)")
            }
        }
        for (name, source) in counts.sources.sorted(by: { $0.key < $1.key }) {
            if let problem = source.problem { parts.append("source \(name) not read to its end: \(problem)") }
        }
        return "done after \(Quantity.approximate(took)): " + parts.joined(separator: ", ")
    }
}

extension OwnerLock {
    /// Takes the data folder for this process, and opens its spool.
    fileprivate static func open(_ loaded: Configuration) throws -> (SQLiteSpool, OwnerLock) {
        try SQLiteSpool.makeFolder(loaded.dataFolder)
        let lock = try OwnerLock(folder: loaded.dataFolder, startedAt: SystemClock().now())
        return (try SQLiteSpool(folder: loaded.dataFolder, maxSize: loaded.retention.maxSize), lock)
    }
}

extension Logger.Level: @retroactive ExpressibleByArgument {}
extension LogOutput.Format: ExpressibleByArgument {}
