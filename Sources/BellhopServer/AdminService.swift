import Bellhop
import BellhopCore
import Logging

/// Answers those who ask how a running bellhop is: `/live`, `/ready` and `/metrics`.
package struct AdminService: Sendable {
    private let settings: AdminSettings
    private let verifier: WebhookVerifier
    private let context: ComponentContext
    private let report: @Sendable () -> Health
    private let metrics: @Sendable () async -> String

    /// - `report`: how it is now.
    /// - `metrics`: Prometheus' text.
    package init(
        _ settings: AdminSettings,
        context: ComponentContext,
        report: @escaping @Sendable () -> Health,
        metrics: @escaping @Sendable () async -> String
    ) {
        self.settings = settings
        self.verifier = .bearer(settings.token)
        self.context = context
        self.report = report
        self.metrics = metrics
    }

    /// Listens until cancelled. An address that somebody else has is told once and tried again: alerts are delivered
    /// meanwhile, and whoever asks finds nobody.
    package func run() async {
        var isTold = false
        while !Task.isCancelled {
            do {
                try await self.serve()
            } catch {
                if !isTold {
                    self.context.logger.error("nobody can ask how it is", metadata: ["reason": "\(error)"])
                    isTold = true
                }
            }
            try? await self.context.clock.sleep(for: .seconds(5) * Double.random(in: 0.8...1.2))
        }
    }

    private func serve() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for path in AdminSettings.paths {
                let service = InboundService(path: path, bodyLimit: 0) { await self.answer($0, path) }
                group.addTask {
                    try await self.context.listener.serve(service, at: self.settings.listen) { port in
                        guard path == AdminSettings.paths.last else { return }
                        self.context.logger.info("metrics on http://\(self.settings.listen.on(port))/metrics")
                    }
                }
            }
            try await group.waitForAll()
        }
    }

    func answer(_ request: InboundRequest, _ path: String) async -> InboundAnswer {
        guard request.method == "GET" || request.method == "HEAD" else {
            return InboundAnswer(problem: 405, "this is only to be read", headers: [("allow", "GET, HEAD")])
        }
        let refusal = self.verifier.refusal(of: request, now: self.context.clock.now())
        let isKnown = self.settings.token == nil || refusal == nil
        switch path {
        case "/live": return InboundAnswer(200, body: "{\"status\":\"live\"}")
        case "/ready":
            let health = self.report()
            return InboundAnswer(health.isReady ? 200 : 503, body: health.json(withReasons: isKnown))
        default:
            guard isKnown else {
                let challenge = (name: "www-authenticate", value: "Bearer realm=\"bellhop\"")
                return InboundAnswer(problem: 401, refusal ?? "", headers: [challenge])
            }
            return InboundAnswer(200, text: await self.metrics(), as: MetricsText.contentType)
        }
    }
}
