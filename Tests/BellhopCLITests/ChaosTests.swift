import Bellhop
import BellhopCore
import BellhopSimulator
import BellhopTesting
import Foundation
import Testing

/// kill -9 at random moments, in a loop. `scripts/chaos` runs it longer, with the release build.
@Suite(.timeLimit(.minutes(30))) struct ChaosTests {
    private struct Finding {
        var kills = 0
        var duplicates = 0
        /// How long before its kill the oldest answer came that was given again.
        var oldest: Duration = .zero
    }

    private static let environment = ProcessInfo.processInfo.environment
    private static let runs = Self.environment["BELLHOP_CHAOS_RUNS"].flatMap { Int($0) }
    private static let events = Self.environment["BELLHOP_CHAOS_EVENTS"].flatMap { Int($0) } ?? 400

    @Test func `whenever it is killed, nothing is lost, and only what was under way comes twice`() async throws {
        var total = Finding()
        let seed = Self.environment["BELLHOP_CHAOS_SEED"].flatMap { UInt64($0) } ?? UInt64.random(in: 0...999_999)
        var random = SeededGenerator(seed: seed)
        // How long a whole run takes here: kills come at any moment of it.
        var (_, whole) = try await self.run(kills: [], seed: seed)
        // Beside other tests it takes much longer than it would.
        if Self.runs == nil { whole = min(whole, .seconds(1)) }
        for number in 0..<(Self.runs ?? 3) {
            let kills = (0..<Int.random(in: 1...3, using: &random))
                .map { _ in whole * Double.random(in: 0...1, using: &random) }
            let (finding, _) = try await self.run(kills: kills, seed: seed &+ UInt64(number))
            total.kills += finding.kills
            total.duplicates += finding.duplicates
            total.oldest = max(total.oldest, finding.oldest)
        }
        guard let runs = Self.runs else { return }
        // A timed check only here: a machine that does much else may be late.
        #expect(total.oldest <= .milliseconds(100), "seed \(seed)")
        print(
            """
            chaos: \(runs) runs of \(Self.events) events, \(total.kills) kills (seed \(seed)): 0 lost, \(total.duplicates) \
            delivered again, the oldest answered \(total.oldest.milliseconds) ms before its kill
            """
        )
    }

    /// One spool, killed so often, and then run to its end.
    private func run(kills: [Duration], seed: UInt64) async throws -> (Finding, took: Duration) {
        let folder = try TemporaryFolder()
        var settings = RelayProSimulator.Settings()
        settings.events = Self.events
        settings.seed = seed
        let api = RelayProSimulator(settings, now: { SystemClock().now() })
        let receiver = ReceiverSimulator()
        // Always something under way.
        receiver.change { $0.delay = .milliseconds(2) }
        let apiServer = try await SimulatedServer { api.answer($0) }
        let receiverServer = try await SimulatedServer { receiver.answer($0) }
        try folder.write(
            "bellhop.yaml",
            """
            sources:
              relay: { kind: relay_pro, subscriber_id: s, api_key: apikey123, base_url: "\(apiServer.url)" }
            sinks:
              hook: { kind: webhook, url: "\(receiverServer.url)/hook" }
              audit: { kind: file, path: audit.ndjson }
            rules:
              - { name: all, send: [hook, audit] }
            """
        )
        var finding = Finding()
        var moments: [ContinuousClock.Instant] = []
        for kill in kills {
            let process = try ChildProcess(["run", "--once"], in: folder)
            try await Task.sleep(for: kill)
            process.signal(SIGKILL)
            moments.append(.now)
            // 9 where it was killed; it may have been done already.
            if await process.result().status == SIGKILL { finding.kills += 1 }
        }
        let start = ContinuousClock.now
        let last = try await ChildProcess.run(["run", "--once"], in: folder)
        let took = ContinuousClock.now - start
        #expect(last.status == 0, "\(last.errors)")

        let ids = Array(api.ids)
        let spool = try SQLiteSpool.existing(in: "\(folder.path)/data")
        let ledger = try await DeliveryLedger(spool, events: ids, sinks: ["hook", "audit"])
        let receipts = receiver.receipts
        let lines = folder.lines("audit.ndjson")
            .map { ReceiverSimulator.Receipt(path: "audit", id: self.id($0), body: $0, at: start) }
        #expect(try ledger.violations(["hook": receipts, "audit": lines]) == [])
        #expect(ledger.count("hook", "delivered") == ids.count && ledger.count("audit", "delivered") == ids.count)

        var seen: [String: ContinuousClock.Instant] = [:]
        for receipt in receipts {
            if let before = seen[receipt.id] {
                finding.duplicates += 1
                // What was under way at the kill may be answered after it: the receiver has its own pace.
                let lag: Duration = Self.runs == nil ? .seconds(10) : .seconds(1)
                let kills = moments.filter { $0 <= receipt.at && $0 + lag >= before }
                #expect(!kills.isEmpty, "\(receipt.id) came twice without a kill in between")
                let age = kills.map { $0 - before }.filter { $0 > .zero }.min() ?? .zero
                finding.oldest = max(finding.oldest, age)
            }
            seen[receipt.id] = receipt.at
        }
        await apiServer.close()
        await receiverServer.close()
        return (finding, took)
    }

    private func id(_ json: String) -> String {
        (try? JSONParser().parse(Bytes(json)) { $0["event_id"]?.leaf.text ?? "" }) ?? "half a line: \(json)"
    }
}
