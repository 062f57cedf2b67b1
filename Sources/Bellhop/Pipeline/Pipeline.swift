import BellhopCore
import Logging
import ServiceLifecycle

/// Sources, intake, spool and dispatchers, joined. Where the context says `once`, it ends when the sources are caught up
/// and everything is settled; otherwise at shutdown: sources stop, the intake finishes, attempts under way end, sinks close.
package struct Pipeline: Service, CustomStringConvertible {
    /// How long attempts under way may take after a shutdown began; then they are cut off and count as not made.
    package static let grace: Duration = .seconds(10)

    private let sources: [any Source]
    private let dispatchers: [Dispatcher]
    private let rules: RuleSet
    private let spool: any Spool
    private let retention: Retention
    private let context: ComponentContext
    private let settler: Settler
    private let shutdown: Shutdown

    /// - `context`: its `once` and clock are the pipeline's too.
    package init(
        sources: [any Source],
        sinks: [any Sink],
        rules: RuleSet,
        spool: any Spool,
        retention: Retention = .default,
        context: ComponentContext
    ) {
        let settler = Settler(spool: spool, clock: context.clock, logger: context.logger)
        let paces = HostPaces()
        self.sources = sources
        self.dispatchers = sinks.map {
            Dispatcher(sink: $0, rules: rules, spool: spool, settler: settler, paces: paces, context: context)
        }
        self.rules = rules
        self.spool = spool
        self.retention = retention
        self.context = context
        self.settler = settler
        self.shutdown = context.shutdown
    }

    /// A service group prints its services; without this it would reflect on all that is inside.
    package let description = "pipeline"

    private enum Stage { case sources, intake, dispatcher, settler, upkeep, shutdown, graceOver }

    /// - Throws: ``PipelineError`` when a component could not go on.
    package func run() async throws {
        await withGracefulShutdownHandler {
            await self.work()
        } onGracefulShutdown: {
            self.shutdown.begin()
        }
        // Outcomes of the last attempts; outside the group, where nothing is cancelled any more.
        await self.settler.flush()
        if let fault = self.shutdown.fault { throw PipelineError.stopped(fault) }
    }

    /// Opens the sinks' destinations again, and tries those that were given up or seem down (SIGHUP).
    package func reopen() async {
        for dispatcher in self.dispatchers {
            await dispatcher.sink.reopen()
            dispatcher.reset()
        }
    }

    private func work() async {
        let channel = Channel()
        let stopSources = Doorbell()
        let intake = Intake(
            channel: channel,
            rules: self.rules,
            spool: self.spool,
            dispatchers: Dictionary(uniqueKeysWithValues: self.dispatchers.map { ($0.sink.name, $0) }),
            context: self.context
        )
        let upkeep = Upkeep(
            spool: self.spool,
            retention: self.retention,
            dispatchers: self.dispatchers,
            context: self.context
        )
        await withTaskGroup(of: Stage.self) { group in
            group.addTask {
                await self.settler.run()
                return .settler
            }
            group.addTask {
                await upkeep.run()
                return .upkeep
            }
            group.addTask {
                await self.shutdown.wait()
                return .shutdown
            }
            for dispatcher in self.dispatchers {
                group.addTask {
                    await dispatcher.run()
                    return .dispatcher
                }
            }
            group.addTask {
                await intake.run()
                return .intake
            }
            group.addTask {
                await self.runSources(into: channel, until: stopSources)
                return .sources
            }
            var delivering = self.dispatchers.count
            var isStopping = false
            for await stage in group {
                switch stage {
                case .sources: channel.close()
                case .intake:
                    for dispatcher in self.dispatchers { isStopping ? dispatcher.stop() : dispatcher.finish() }
                case .dispatcher:
                    delivering -= 1
                    if delivering == 0 { self.settler.close() }
                case .settler: group.cancelAll()
                case .shutdown where !Task.isCancelled && delivering > 0:
                    isStopping = true
                    for dispatcher in self.dispatchers { dispatcher.stop() }
                    stopSources.ring()
                    group.addTask {
                        try? await self.context.clock.sleep(for: Pipeline.grace)
                        return .graceOver
                    }
                case .graceOver: group.cancelAll()
                case .shutdown, .upkeep: break
                }
            }
        }
    }

    private func runSources(into channel: Channel, until stop: Doorbell) async {
        await withTaskGroup(of: Bool.self) { group in
            for source in self.sources {
                let runner = SourceRunner(source: source, spool: self.spool, channel: channel, context: self.context)
                group.addTask {
                    await runner.run()
                    return true
                }
            }
            group.addTask {
                for await _ in stop.rings { break }
                return false
            }
            var reading = self.sources.count
            for await isSource in group {
                if isSource { reading -= 1 }
                if !isSource || reading == 0 { group.cancelAll() }
            }
        }
    }
}

package enum PipelineError: Error, CustomStringConvertible {
    case stopped(String)

    package var description: String {
        switch self {
        case .stopped(let fault): fault
        }
    }
}
