import Bellhop
import BellhopCore
import BellhopSimulator
import BellhopTesting
import Foundation
import Glibc
import Testing

/// What others learn of a running bellhop: health, systemd, backups.
@Suite(.timeLimit(.minutes(4))) struct WatcherTests {
    private let folder: TemporaryFolder

    init() throws { self.folder = try TemporaryFolder() }

    /// Starts bellhop with an event in its inbox and a receiver that is not there.
    private func start(environment: [String: String] = [:]) async throws -> ChildProcess {
        try self.folder.write("in.ndjson", "{\"event_id\":\"e1\"}\n{\"event_id\":\"e2\"}\n")
        try self.folder.write(
            "bellhop.yaml",
            """
            sources: { in: { kind: file, path: in.ndjson, follow: true } }
            sinks:
              audit: { kind: file, path: audit.ndjson }
              dead: { kind: webhook, url: "http://127.0.0.1:1/x", retry: { base: 1h, cap: 1h } }
            rules: [{ name: all, send: [audit, dead] }]
            admin: { listen: "127.0.0.1:${PORT:-0}" }
            """
        )
        let process = try ChildProcess(["run"], in: self.folder, environment: environment)
        try await process.waitForErrors(containing: "/metrics")
        while self.folder.lines("audit.ndjson").count < 2 { try await Task.sleep(for: .milliseconds(10)) }
        return process
    }

    @Test func `health says ready, and exits with it; where nobody answers, with 75`() async throws {
        let process = try await self.start()
        let line = process.errors.split(separator: "\n").first { $0.contains("metrics on ") } ?? ""
        let port = String(line.split(separator: ":").last?.prefix { $0.isNumber } ?? "")
        let environment = ["PORT": port]
        // The file is read at once, but it may be a moment before that.
        var health = try await ChildProcess.run(["health"], in: self.folder, environment: environment)
        while health.status == 1 {
            health = try await ChildProcess.run(["health"], in: self.folder, environment: environment)
        }
        #expect(health.status == 0 && health.output.contains("\"status\":\""), "\(health)")
        let live = try await ChildProcess.run(["health", "--live"], in: self.folder, environment: environment)
        #expect(live.status == 0 && live.output == "{\"status\":\"live\"}\n")
        process.signal(SIGTERM)
        #expect(await process.result().status == 0)
        let gone = try await ChildProcess.run(["health"], in: self.folder, environment: environment)
        #expect(gone.status == 75 && gone.errors.contains("nobody answers at"))
        try self.folder.write("none.yaml", "sources: {}\n")
        let none = try await ChildProcess.run(["health", "-c", "none.yaml"], in: self.folder)
        #expect(none.status == 1)
    }

    @Test func `systemd hears that it is ready, how it is, and that it stops`() async throws {
        let path = "\(self.folder.path)/notify"
        let handle = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)
        defer { close(handle) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(path.utf8)) }
        let isBound = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(handle, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) == 0
            }
        }
        try #require(isBound)
        let process = try await self.start(environment: ["NOTIFY_SOCKET": path, "WATCHDOG_USEC": "200000"])
        var told: [String] = []
        func read(until isEnough: ([String]) -> Bool) async throws {
            while !isEnough(told) {
                var buffer = [UInt8](repeating: 0, count: 4096)
                let count = recv(handle, &buffer, buffer.count, Int32(MSG_DONTWAIT))
                if count > 0 {
                    told.append(String(decoding: buffer[..<count], as: UTF8.self))
                } else {
                    try await Task.sleep(for: .milliseconds(10))
                }
            }
        }
        try await read { $0.count { $0.contains("WATCHDOG=1") } >= 3 }
        #expect(told.allSatisfy { $0.hasPrefix("READY=1\nSTATUS=") }, "\(told)")
        process.signal(SIGTERM)
        try await read { $0.contains("STOPPING=1") }
        #expect(await process.result().status == 0)
    }

    @Test func `a backup made while it runs is whole, and can be gone back to`() async throws {
        let process = try await self.start()
        let made = try await ChildProcess.run(["backup", "copy.db", "--json"], in: self.folder)
        #expect(made.status == 0 && made.output.hasPrefix("{\"bytes\":"), "\(made)")
        let again = try await ChildProcess.run(["backup", "copy.db"], in: self.folder)
        #expect(again.status == 1 && again.errors.contains("never written over"))
        let nowhere = try await ChildProcess.run(["backup", "no/such/folder/copy.db"], in: self.folder)
        #expect(nowhere.status == 1 && nowhere.errors.contains("cannot write"))
        process.signal(SIGKILL)
        _ = await process.result()

        // The spool is lost, and the backup takes its place.
        let files = FileManager.default
        try files.removeItem(atPath: "\(self.folder.path)/data")
        try files.createDirectory(atPath: "\(self.folder.path)/data", withIntermediateDirectories: false)
        try files.moveItem(atPath: "\(self.folder.path)/copy.db", toPath: "\(self.folder.path)/data/spool.db")
        #expect(!files.fileExists(atPath: "\(self.folder.path)/copy.db.part"))
        let list = try await ChildProcess.run(["deliveries", "list", "--json"], in: self.folder)
        #expect(
            list.status == 0 && list.output.split(separator: "\n").joined().contains("\"sink\":\"dead\""),
            "\(list)"
        )
        try self.folder.write("in.ndjson", "{\"event_id\":\"e1\"}\n{\"event_id\":\"e2\"}\n{\"event_id\":\"e3\"}\n")
        let next = try ChildProcess(["run"], in: self.folder)
        while self.folder.lines("audit.ndjson").count < 3 { try await Task.sleep(for: .milliseconds(10)) }
        next.signal(SIGTERM)
        #expect(await next.result().status == 0)
        // What the backup knew was not sent again.
        #expect(self.folder.lines("audit.ndjson").count == 3)
    }
}
