import Bellhop
import BellhopCore
import BellhopServer
import Foundation

/// Those who want to know how a run is: the admin listener's callers, and systemd.
struct Watchers: Sendable {
    private let loaded: Configuration
    private let sources: [String]
    private let spool: SQLiteSpool
    private let started: Timestamp
    private let manager: ServiceManager?

    init(_ loaded: Configuration, sources: [String], spool: SQLiteSpool, started: Timestamp) {
        self.loaded = loaded
        self.sources = sources
        self.spool = spool
        self.started = started
        self.manager = ServiceManager(environment: ProcessInfo.processInfo.environment)
    }

    /// Answers until cancelled.
    func run() async {
        await withTaskGroup(of: Void.self) { group in
            if let admin = self.loaded.admin {
                group.addTask {
                    let reader = try? SQLiteReader(folder: self.loaded.dataFolder)
                    await AdminService(admin, context: self.loaded.context) {
                        self.health
                    } metrics: {
                        await self.metrics(try? reader?.status())
                    }
                    .run()
                }
            }
            if let manager = self.manager {
                group.addTask {
                    await manager.run {
                        self.health
                    } counts: {
                        let counts = self.loaded.context.tally.current
                        return "\(counts.events.grouped) events, \(counts.delivered.grouped) delivered since the start"
                    } touch: {
                        _ = try? await self.spool.checkpoint(of: "")
                    }
                }
            }
            await group.waitForAll()
        }
    }

    /// Tells that the run is ending.
    func stopping() { self.manager?.notify("STOPPING=1") }

    private var health: Health {
        Health(
            self.loaded.context.tally.current,
            sources: self.sources,
            isStopping: self.loaded.context.shutdown.hasBegun
        )
    }

    private func metrics(_ status: SpoolStatus?) -> String {
        MetricsText.render(
            self.loaded.context.tally.current,
            sources: self.sources,
            sinks: self.loaded.sinks.map(\.name),
            rules: self.loaded.rules.rules.map(\.name),
            status: status,
            process: .current(started: self.started),
            version: Version.text
        )
    }
}
