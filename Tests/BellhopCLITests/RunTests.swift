import Bellhop
import BellhopCore
import BellhopSimulator
import BellhopTesting
import Foundation
import Testing

@Suite(.timeLimit(.minutes(3))) struct RunTests {
    private let folder: TemporaryFolder

    init() throws { self.folder = try TemporaryFolder() }

    /// A simulated API and receiver, and a configuration that joins them.
    private struct World {
        let api: RelayProSimulator
        let receiver: ReceiverSimulator
        let servers: [SimulatedServer]

        func close() async {
            for server in self.servers { await server.close() }
        }
    }

    private func world(
        _ quirks: Set<RelayQuirk> = [],
        events: Int,
        receiver: ReceiverSimulator = ReceiverSimulator(),
        sinks: String = ""
    ) async throws -> World {
        var settings = RelayProSimulator.Settings()
        settings.events = events
        settings.quirks = quirks
        let api = RelayProSimulator(settings, now: { SystemClock().now() })
        let apiServer = try await SimulatedServer { api.answer($0) }
        let receiverServer = try await SimulatedServer { receiver.answer($0) }
        try self.folder.write(
            "bellhop.yaml",
            """
            sources:
              relay: { kind: relay_pro, subscriber_id: s, api_key: "${KEY:-apikey123}", base_url: "\(apiServer.url)", poll_interval: 200ms }
            sinks:
              hook: { kind: webhook, url: "\(receiverServer.url)/hook", retry: { base: 100ms, cap: 200ms }, circuit_breaker: { probe_every: 50ms } }
              audit: { kind: file, path: audit.ndjson }
            \(sinks)
            rules:
              - { name: all, send: [hook, audit\(sinks.isEmpty ? "" : ", screen")] }
            """
        )
        return World(api: api, receiver: receiver, servers: [apiServer, receiverServer])
    }

    private func id(_ json: String) -> String {
        (try? JSONParser().parse(Bytes(json)) { json in
            let id = json["event_id"]?.leaf.text ?? ""
            return id.isEmpty ? json["id"]?.leaf.text ?? "" : id
        }) ?? "unreadable: \(json)"
    }

    private var audited: [String] { self.folder.lines("audit.ndjson").map(self.id) }

    static let harmless: [RelayQuirk] = RelayQuirk.allCases.filter { quirk in
        ![.newestFirst, .stuckTimestamp, .noFractions, .redirect, .unauthorized, .forbidden, .notFound, .slow].contains(
            quirk
        )
    }

    @Test(arguments: harmless) func `of 2,000 events each is delivered once to webhook and file`(
        quirk: RelayQuirk
    ) async throws {
        let world = try await self.world([quirk], events: 2000)
        let result = try await ChildProcess.run(["run", "--once"], in: self.folder)
        #expect(result.status == 0, "\(result.errors)")
        for delivered in [world.receiver.receipts.map { self.id($0.body) }, self.audited] {
            #expect(delivered.count == 2000 && Set(delivered) == world.api.ids)
        }
        await world.close()
    }

    @Test func `after kill -9 in the middle nothing is missing, and repeats have the same webhook-id`() async throws {
        let world = try await self.world(events: 2000)
        world.receiver.change { $0.delay = .milliseconds(5) }
        let first = try ChildProcess(["run", "--once"], in: self.folder)
        await world.receiver.waitForAccepted(300)
        first.signal(SIGKILL)
        _ = await first.result()
        #expect(world.receiver.accepted < 2000)
        world.receiver.change { $0.delay = .zero }
        let second = try await ChildProcess.run(["run", "--once"], in: self.folder)
        #expect(second.status == 0, "\(second.errors)")
        #expect(Set(world.receiver.receipts.map { self.id($0.body) }) == world.api.ids)
        #expect(Set(self.audited) == world.api.ids)
        // One webhook-id per event, whatever came twice.
        #expect(world.receiver.ids.count == 2000)
        #expect(world.receiver.accepted < 2000 + 500)
        await world.close()
    }

    @Test func `a wrong key is said once, ends --once with 1, and leaves the checkpoint alone`() async throws {
        let world = try await self.world(events: 10)
        #expect(try await ChildProcess.run(["run", "--once"], in: self.folder).status == 0)
        let before = try await SQLiteSpool.existing(in: "\(self.folder.path)/data").checkpoint(of: "relay")
        let result = try await ChildProcess.run(["run", "--once"], in: self.folder, environment: ["KEY": "wrong-key"])
        #expect(result.status == 1)
        #expect(result.errors.contains("HTTP 401: the key is refused; check 'api_key'"))
        #expect(!result.errors.contains("wrong-key"))
        #expect(try await SQLiteSpool.existing(in: "\(self.folder.path)/data").checkpoint(of: "relay") == before)
        await world.close()
    }

    @Test func `standard input is read to its end, however it pauses`() async throws {
        try self.folder.write(
            "bellhop.yaml",
            """
            sources: { in: { kind: file, path: "-" } }
            sinks: { audit: { kind: file, path: audit.ndjson } }
            rules: [{ name: all, send: audit }]
            """
        )
        // More than a pipe holds, with pauses, and a last line without an end.
        let script = """
            for part in 1 2 3; do seq ${part}00000 $((${part}00000 + 9999)) | sed 's/.*/{"event_id":"e&"}/'; sleep 0.3; done
            printf '{"event_id":"last"}'
            """
        let binary = ChildProcess.binary
        let piped = try ChildProcess(
            program: "sh",
            ["-c", "(\(script)) | '\(binary)' run --once"],
            in: self.folder
        )
        let result = await piped.result()
        #expect(result.status == 0, "\(result.errors)")
        #expect(self.audited.count == 30_001 && Set(self.audited).count == 30_001 && self.audited.last == "last")
    }

    @Test func `get searches a source that has no route for one event`() async throws {
        let world = try await self.world(events: 30)
        let id = try #require(world.api.ids.min())
        let found = try await ChildProcess.run(["get", "relay", id, "--since", "2h"], in: self.folder)
        #expect(found.status == 0 && found.output.contains(id) && found.output.hasSuffix("}\n"), "\(found.errors)")
        let absent = try await ChildProcess.run(["get", "relay", "no-such-event"], in: self.folder)
        #expect(absent.status == 1 && absent.errors.contains("look further back with --since"), "\(absent.errors)")
        let refused = try await ChildProcess.run(
            ["get", "relay", id],
            in: self.folder,
            environment: ["KEY": "wrong-key"]
        )
        #expect(refused.status == 77 && refused.errors.contains("check 'api_key'"), "\(refused.errors)")
        let unknown = try await ChildProcess.run(["get", "relais", id], in: self.folder)
        #expect(unknown.status == 1 && unknown.errors.contains("did you mean 'relay'?"), "\(unknown.errors)")
        await world.close()
        #expect(!FileManager.default.fileExists(atPath: "\(self.folder.path)/data"))
    }

    @Test func `a second process on the same data folder is told who has it`() async throws {
        let world = try await self.world(events: 10)
        let first = try ChildProcess(["run"], in: self.folder)
        await world.receiver.waitForAccepted(10)
        let second = try await ChildProcess.run(["run"], in: self.folder)
        #expect(second.status == 75 && second.errors.contains("process \(first.pid)"), "\(second.errors)")
        first.signal(SIGTERM)
        #expect(await first.result().status == 0)
        await world.close()
    }

    @Test func `SIGTERM lets attempts under way end; a second signal does not wait`() async throws {
        let world = try await self.world(events: 10)
        world.receiver.change { $0.delay = .milliseconds(800) }
        let process = try ChildProcess(["run"], in: self.folder)
        await world.receiver.waitForRequests(1)
        process.signal(SIGTERM)
        let result = await process.result()
        #expect(result.status == 0 && result.errors.contains("done after"), "\(result.errors)")
        #expect(world.receiver.accepted == world.receiver.requests)
        world.receiver.change { $0.fault = .silence }
        // A new spool, for which everything is still to be delivered.
        try FileManager.default.removeItem(atPath: "\(self.folder.path)/data")
        let stuck = try ChildProcess(["run"], in: self.folder)
        let before = world.receiver.requests
        await world.receiver.waitForRequests(before + 1)
        // Whichever comes first, the other is the second; and no waiting here, which a busy machine stretches.
        stuck.signal(SIGTERM)
        stuck.signal(SIGINT)
        let killed = await stuck.result()
        #expect(killed.status == 130, "\(killed.errors)")
        await world.close()
    }

    @Test func `a closed standard output ends the run with a clear word, and nothing is lost`() async throws {
        let world = try await self.world(events: 50, sinks: "  screen: { kind: stdout }")
        let pipe = Pipe()
        try pipe.fileHandleForReading.close()
        let process = try ChildProcess(["run"], in: self.folder, output: pipe.fileHandleForWriting)
        let result = await process.result()
        #expect(
            result.status == 1 && result.errors.contains("standard output was closed by its reader"),
            "\(result.errors)"
        )
        try pipe.fileHandleForWriting.close()
        let again = try await ChildProcess.run(["run", "--once"], in: self.folder)
        #expect(again.status == 0, "\(again.errors)")
        #expect(Set(again.output.split(separator: "\n").map { self.id(String($0)) }) == world.api.ids)
        await world.close()
    }

    @Test func `a dead letter ends --once with 1, is listed, and a retry while bellhop runs delivers it`() async throws
    {
        let receiver = ReceiverSimulator()
        receiver.change { $0.script = ReceiverSimulator.failures([404]) }
        let world = try await self.world(events: 5, receiver: receiver)
        let first = try await ChildProcess.run(["run", "--once"], in: self.folder)
        #expect(
            first.status == 1 && first.errors.contains("1 dead letter (bellhop dead-letters list)"),
            "\(first.errors)"
        )
        let list = try await ChildProcess.run(["dead-letters", "list", "--json"], in: self.folder)
        #expect(list.output.contains("\"answer\":\"HTTP 404 from"))
        let running = try ChildProcess(["run"], in: self.folder)
        try await running.waitForErrors(containing: "reads relay")
        let refused = try await ChildProcess.run(["dead-letters", "retry"], in: self.folder)
        #expect(refused.status == 1 && refused.errors.contains("--yes"))
        let retry = try await ChildProcess.run(["dead-letters", "retry", "--yes"], in: self.folder)
        #expect(retry.output == "1 delivery is pending and due now\n")
        await receiver.waitForAccepted(5)
        running.signal(SIGINT)
        #expect(await running.result().status == 0)
        await world.close()
    }

    @Test func `a receiver that is down for a while gets everything in order`() async throws {
        let receiver = ReceiverSimulator()
        receiver.change { $0.script = ReceiverSimulator.failures(Array(repeating: 503, count: 40)) }
        let world = try await self.world(events: 60, receiver: receiver)
        let result = try await ChildProcess.run(["run", "--once"], in: self.folder)
        #expect(result.status == 0, "\(result.errors)")
        // The same reason is told once, and again only after a success in between; not forty times.
        #expect(result.errors.split(separator: "\n").count { $0.contains("will be tried again") } <= 5)
        var last: [String: Int] = [:]
        let order = Dictionary(uniqueKeysWithValues: self.audited.enumerated().map { ($1, $0) })
        for receipt in receiver.receipts {
            let task = try JSONParser().parse(Bytes(receipt.body)) { $0["task"]?["id"]?.leaf.text ?? "" }
            let position = try #require(order[self.id(receipt.body)])
            #expect(last[task, default: -1] < position)
            last[task] = position
        }
        await world.close()
    }
}
