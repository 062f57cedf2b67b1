import BellhopCore

/// `admin: { listen: 127.0.0.1:8080, token: … }`: where a running bellhop says how it is.
package struct AdminSettings: Sendable {
    package static let reference = """
        # Says how it is: /live, /ready (503 while it takes no events) and /metrics (Prometheus). Nothing listens without this key.
        listen: 127.0.0.1:8080     # 0.0.0.0:8080 for all networks, with a token
        token: ${ADMIN_TOKEN}      # who asks for /metrics, or for the reasons at /ready, sends it: Authorization: Bearer …
        """

    package static let paths = ["/live", "/ready", "/metrics"]

    package let listen: ListenAddress
    package let token: Secret?

    package init(_ options: OptionReader, _ context: ComponentContext) {
        let listen = options.string("listen", default: "127.0.0.1:8080")
        self.listen = ListenAddress(listen) ?? .unknown
        let token = options.string("token").map { Secret($0) }
        self.token = token
        if let token { context.redactor.add(token) }
        if ListenAddress(listen) == nil {
            options.diagnostics.error(
                "'listen' is a host and a port like 127.0.0.1:8080 or 0.0.0.0:8080, not '\(listen)' (\(options.owner))",
                at: options.place(of: "listen")
            )
        } else if token?.isEmpty != false, !self.listen.isLoopback {
            options.diagnostics.error(
                "others can reach \(listen), so 'admin' needs a 'token' there, like \"${ADMIN_TOKEN}\"",
                at: options.place(of: "listen")
            )
        }
        for path in AdminSettings.paths where !context.listener.reserve(path, at: self.listen) {
            options.diagnostics.error(
                "a source has \(self.listen)\(path); give it another 'path', or 'admin' another port",
                at: options.place(of: "listen")
            )
        }
        options.finish()
    }

    /// What this machine asks, to hear how it is.
    package var url: String {
        let host = ["0.0.0.0": "127.0.0.1", "::": "[::1]"][self.listen.host]
        return "http://" + (host.map { "\($0):\(self.listen.port)" } ?? self.listen.description)
    }
}
