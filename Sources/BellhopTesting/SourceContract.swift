import Bellhop
import BellhopCore
import Logging
import Synchronization

/// The world outside a source of one kind, as ``SourceContract`` needs it.
package protocol SourceStage: Sendable {
    /// The kind of source it is for.
    static var kind: String { get }
    init() async throws
    /// A source that reads this world.
    func source(_ context: ComponentContext) throws -> any Source
    /// What the source listens with.
    var listener: any HTTPListener { get }
    /// A secret of the configuration.
    var secret: String { get }
    /// Makes events happen, one a second; returns at once where the source fetches them, and once they are taken where they
    /// are brought to it.
    func tell(_ ids: [String]) async throws
    /// What the source calls an event that the contract calls `e7`.
    func id(_ name: String) -> String
    /// Makes something happen that is no event.
    func tellNonsense() async throws
    /// Lets the outside fail, with an answer that repeats the secret where it gives any; or makes it well again.
    func fail(_ isFailing: Bool) async throws
    func close() async
}

extension SourceStage {
    package func id(_ name: String) -> String { name }
}

/// What every source must do, as checks that return what is wrong: run over each kind.
package struct SourceContract<Stage: SourceStage> {
    private let log = LogRecorder()
    private let clock = SteppingClock(Timestamp(seconds: 1_790_000_000))
    private let tally = Tally()

    package init() {}

    /// Runs everything; an empty list is a pass.
    package func violations() async throws -> [String] {
        var found: [String] = []
        found += try await self.everything()
        found += try await self.uncommitted()
        found += try await self.nonsense()
        found += try await self.outage()
        return found.map { "\(Stage.kind): \($0)" }
    }

    private func context(_ stage: Stage) -> ComponentContext {
        .stub(clock: self.clock, listener: stage.listener, logger: self.log.logger, tally: self.tally)
    }

    private func ids(_ range: Range<Int>) -> [String] { range.map { "e\($0)" } }

    /// Runs the source beside what happens outside, until it has sent so many events.
    private func run(
        _ stage: Stage,
        _ bench: SourceBench,
        until count: Int,
        commits: @escaping @Sendable (Batch) -> Bool = { _ in true },
        _ outside: @escaping @Sendable () async throws -> Void
    ) async throws {
        let source = try stage.source(self.context(stage))
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                // As the runner does: what throws is run again, from the last checkpoint.
                while !Task.isCancelled, bench.events.count < count {
                    try? await bench.run(source, until: { $0.events.count >= count }, commits: commits)
                    await Task.yield()
                }
            }
            // Who brings events may still wait for the last answer, which a source that was cancelled does not give.
            let telling = Task { try await outside() }
            try await group.waitForAll()
            telling.cancel()
            _ = await telling.result
        }
    }

    /// All comes, with its id; and a restart goes on where the last run left off.
    private func everything() async throws -> [String] {
        let stage = try await Stage()
        let bench = SourceBench()
        var found: [String] = []
        try await self.run(stage, bench, until: 30) { try await stage.tell(self.ids(0..<30)) }
        if Set(bench.events.map(\.id)) != Set(self.ids(0..<30).map(stage.id)) {
            found.append("30 events happened, not all were sent")
        }
        if bench.checkpoint == nil { found.append("there is no checkpoint behind what was sent") }
        try await self.run(stage, bench, until: 40) { try await stage.tell(self.ids(30..<40)) }
        if bench.events.count != 40 { found.append("after a restart \(bench.events.count) events were sent of 40") }
        if Set(bench.events.map(\.source)) != ["source"] { found.append("events are not of the source's name") }
        await stage.close()
        return found
    }

    /// What the spool refused is sent again: no checkpoint covers it.
    private func uncommitted() async throws -> [String] {
        let stage = try await Stage()
        let bench = SourceBench()
        let refusals = Mutex(3)
        let commits: @Sendable (Batch) -> Bool = { _ in
            refusals.withLock { left in
                left -= 1
                return left < 0
            }
        }
        try await self.run(stage, bench, until: 20, commits: commits) { try await stage.tell(self.ids(0..<20)) }
        await stage.close()
        var found: [String] = []
        if Set(bench.events.map(\.id)) != Set(self.ids(0..<20).map(stage.id)) {
            found.append("what was refused once is lost")
        }
        if refusals.withLock({ $0 }) >= 0 { found.append("the spool was asked too rarely to refuse anything") }
        return found
    }

    /// What is no event is kept once, and never in the way.
    private func nonsense() async throws -> [String] {
        let stage = try await Stage()
        let bench = SourceBench()
        try await self.run(stage, bench, until: 10) {
            try await stage.tell(self.ids(0..<5))
            try await stage.tellNonsense()
            try await stage.tell(self.ids(5..<10))
        }
        await stage.close()
        var found: [String] = []
        if bench.events.count != 10 { found.append("beside nonsense \(bench.events.count) events were sent of 10") }
        if Set(bench.rejected.map(\.data)).count != 1 {
            found.append("one thing was no event, \(bench.rejected.count) were rejected")
        }
        if bench.rejected.contains(where: { $0.reason.isEmpty }) { found.append("what is wrong with it is not said") }
        return found
    }

    /// An outage is told once, with pauses between attempts and without a secret; it can be cancelled, and its end is
    /// noticed.
    private func outage() async throws -> [String] {
        let stage = try await Stage()
        let bench = SourceBench()
        let source = try stage.source(self.context(stage))
        try await stage.fail(true)
        self.log.clear()
        let (sleeps, moment) = (self.clock.sleeps, self.clock.now())
        let running = Task {
            // As the runner does, with its pause.
            while !Task.isCancelled {
                try? await bench.run(source)
                try? await self.clock.sleep(for: .seconds(1))
            }
        }
        while self.clock.sleeps < sleeps + 8 { await Task.yield() }
        // Returns, or the test's time is over.
        running.cancel()
        await running.value
        var found: [String] = []
        let waited = self.clock.now() - moment
        if waited < .seconds(2) { found.append("8 pauses of an outage are \(waited) long in all") }
        if !bench.events.isEmpty { found.append("events come out of an outage") }
        let told = self.log.lines.filter { $0.level >= .error }
        if told.count > 1 { found.append("one outage is told \(told.count) times: \(told.map(\.text))") }

        try await stage.fail(false)
        try await self.run(stage, bench, until: 6) {
            try await stage.tell(self.ids(0..<5))
            // The last one ends the run before the source has heard that it was taken.
            while bench.events.count < 5 { await Task.yield() }
            try await stage.tell(self.ids(5..<6))
        }
        if self.tally.current.sources["source"]?.problem != nil { found.append("the end of an outage is not noticed") }
        await stage.close()
        var dumped = ""
        dump(source, to: &dumped)
        let shown = self.log.lines.map(\.text) + [String(reflecting: source), source.address, dumped]
        if shown.contains(where: { $0.contains(stage.secret) }) { found.append("a secret is shown") }
        return found
    }
}

/// Keeps what is logged.
package final class LogRecorder: Sendable {
    package struct Line: Sendable {
        package let level: Logger.Level
        /// With its metadata.
        package let text: String
    }

    private struct Handler: LogHandler {
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.trace
        let recorder: LogRecorder

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { self.metadata[key] }
            set { self.metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            let all = self.metadata.merging(event.metadata ?? [:]) { $1 }
            let text = "\(event.message) \(all.map { "\($0)=\($1)" }.sorted().joined(separator: " "))"
            self.recorder.recorded.withLock { $0.append(Line(level: event.level, text: text)) }
        }
    }

    private let recorded = Mutex<[Line]>([])

    package init() {}

    package var logger: Logger { Logger(label: "test") { _ in Handler(recorder: self) } }
    package var lines: [Line] { self.recorded.withLock { $0 } }
    package func clear() { self.recorded.withLock { $0 = [] } }
}
