import BellhopCore
import Logging

/// Takes events that others send: an HTTP server for webhooks.
package struct HooksSource: Source {
    package static let kind = "hooks"
    package static let reference = """
        # Takes events that others post as JSON: one, a list, or CloudEvents. Answers 202 once they are on disk.
        kind: hooks
        listen: 127.0.0.1:8088     # several sources may share it; 0.0.0.0:8088 for all networks. TLS is for the proxy in front
        path: /hooks
        verify:                    # who may send; needed where others than this machine can connect
          scheme: standard_webhooks  # or github, slack, stripe, basic, bearer, none
          secret: ${HOOK_SECRET}     # of a signature, or the password of basic; or a list, while it is being changed
                                     # basic also takes user, and bearer takes token instead of secret
        allow_unverified: false    # true: scheme none also where others can connect
        id: event_id               # the field that names an event. Without it: the sender's webhook-id (github: X-GitHub-Delivery),
                                   # then event_id (stripe: id); CloudEvents have their own. What is sent again under an id is skipped
        time: timestamp            # the field with its time; without one it is when it came
        task: task.id              # the field that joins the events of one alert; of CloudEvents else the subject
        max_body: 1MB
        rate_limit: none           # like 100/s; beyond it senders are told when to come again (429)
        allowed_origins: ["*"]     # CloudEvents senders that ask first (OPTIONS) and may send
        """

    package let name: String
    package var address: String { "\(self.listen)\(self.path)" }

    private let listen: ListenAddress
    private let path: String
    private let bodyLimit: Int
    private let verifier: WebhookVerifier
    private let reader: HookReader
    private let rate: Rate?
    private let origins: [String]
    private let context: ComponentContext
    private let poller: Poller

    package init(name: String, options: OptionReader, context: ComponentContext) {
        self.name = name
        self.context = context
        self.poller = Poller(name, context)
        let listen = options.string("listen", default: "127.0.0.1:8088")
        self.listen = ListenAddress(listen) ?? .unknown
        if ListenAddress(listen) == nil {
            options.diagnostics.error(
                "'listen' is a host and a port like 127.0.0.1:8088, [::1]:8088 or 0.0.0.0:8088, not '\(listen)' "
                    + "(\(options.owner))",
                at: options.place(of: "listen")
            )
        }
        self.path = options.string("path", default: "/hooks")
        let isClean = self.path.utf8.allSatisfy { (33...126).contains($0) && !"?#%\\".utf8.contains($0) }
        if !self.path.hasPrefix("/") || !isClean {
            options.diagnostics.error(
                "'path' begins with a slash and holds no ?, # or %, like /hooks/alerts (\(options.owner))",
                at: options.place(of: "path")
            )
        } else if !context.listener.reserve(self.path, at: self.listen) {
            options.diagnostics.error(
                "another source has \(self.listen)\(self.path), or that port at an overlapping address; "
                    + "write the same 'listen' and another 'path' (\(options.owner))",
                at: options.place(of: "path")
            )
        }
        self.verifier = HooksSource.verifier(options, context, self.listen)
        self.reader = HookReader(name, options, self.verifier.scheme)
        self.bodyLimit = Int(options.size("max_body", default: 1_000_000, in: 1000...16_000_000))
        self.rate = HooksSource.rate(options)
        let origins = options.optional("allowed_origins")
        self.origins = origins.map { $0.elementsOrSelf.compactMap(\.text) } ?? ["*"]
    }

    private static func verifier(
        _ options: OptionReader,
        _ context: ComponentContext,
        _ listen: ListenAddress
    ) -> WebhookVerifier {
        let isWritten = options.optional("verify") != nil
        let verify = options.nested("verify")
        let scheme = verify.choice("scheme", default: WebhookVerifier.Scheme.none)
        // Without it nobody knows which keys belong here, nor whether there is a way in.
        let written =
            isWritten ? verify.required("scheme", "like standard_webhooks, github or bearer")?.text : scheme.rawValue
        guard written == scheme.rawValue else {
            _ = options.bool("allow_unverified", default: false)
            return .everybody
        }
        let key = scheme == .bearer ? "token" : "secret"
        let secrets = scheme == .none ? [] : verify.secrets(key)
        let user = scheme == .basic ? verify.requiredString("user", "the name that senders give") : ""
        for secret in secrets { context.redactor.add(secret) }
        if scheme != .none, secrets.isEmpty {
            _ = verify.required(key, "what senders and you know, like \"${HOOK_SECRET}\"")
        }
        verify.finish()
        let mayBeUnverified = options.bool("allow_unverified", default: false)
        if scheme == .none, !listen.isLoopback, !mayBeUnverified {
            options.diagnostics.error(
                "anybody who can reach \(listen) could send events; say with 'verify' who may, "
                    + "or 'allow_unverified: true' (\(options.owner))",
                at: options.place(of: "listen")
            )
        }
        do {
            return try WebhookVerifier(scheme, secrets: secrets, user: user)
        } catch {
            options.diagnostics.error("'secret': \(error) (\(verify.owner))", at: verify.place(of: key))
            return .everybody
        }
    }

    private static func rate(_ options: OptionReader) -> Rate? {
        guard let setting = options.optional("rate_limit"), setting.text != "none" else { return nil }
        guard let rate = setting.text.flatMap(Rate.init) else {
            options.error("'rate_limit' is a rate like 100/s or 30/m, or none, not \(setting.shown)", setting)
            return nil
        }
        return rate
    }

    package func event(_ data: Bytes, now: Timestamp) throws -> Event { try self.reader.event(data, now: now) }

    package func run(from checkpoint: Checkpoint?, into channel: Channel) async throws {
        // Nobody can say that all has been sent: there is nothing to catch up with.
        if self.context.once { return self.poller.caughtUp() }
        let desk = HookDesk(
            verifier: self.verifier,
            reader: self.reader,
            isForThisMachine: self.verifier.scheme == .none && self.listen.isLoopback,
            rate: self.rate,
            origins: self.origins,
            commit: GroupCommit(source: self.name, channel: channel),
            clock: self.context.clock,
            logger: self.poller.logger
        )
        let service = InboundService(path: self.path, bodyLimit: self.bodyLimit) { await desk.answer($0) }
        try await self.context.listener.serve(service, at: self.listen) { port in
            self.poller.recovered()
            self.poller.caughtUp()
            self.poller.logger.info("listening on http://\(self.listen.on(port))\(self.path)")
        }
    }
}
