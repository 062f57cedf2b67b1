import BellhopCore
import BellhopTesting
import Testing

@testable import Bellhop

/// A `hooks` source at `/hooks`, without a network, and what it sends.
struct HookBench {
    static let now = Timestamp(seconds: 1_790_000_000)
    let bench = SourceBench()

    /// Runs a source at `/hooks` while `body` posts to it.
    func serve<Result: Sendable>(
        _ options: String = "",
        clock: any WallClock = StandingClock(now),
        commits: @escaping @Sendable (Batch) -> Bool = { _ in true },
        _ body: (DirectListener) async throws -> Result
    ) async throws -> Result {
        let diagnostics = Diagnostics()
        let (bench, listener) = (self.bench, DirectListener())
        let source = HooksSource(
            name: "in",
            options: .stub("{\"path\":\"/hooks\"\(options)}", diagnostics),
            context: .stub(clock: clock, listener: listener)
        )
        try #require(diagnostics.all.map(\.message) == [])
        let running = Task { try await bench.run(source, commits: commits) }
        while !listener.isServing("/hooks") { await Task.yield() }
        let result = try await body(listener)
        running.cancel()
        try await running.value
        return result
    }

    func post(_ body: String, _ options: String = "") async throws -> (status: Int, body: String) {
        let answer = try await self.serve(options) { await $0.send(to: "/hooks", body) }
        return (answer?.status ?? 0, answer?.body ?? "")
    }

    var ids: [String] { self.bench.events.map(\.id) }
}
