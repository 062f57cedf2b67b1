import BellhopCore

extension HTTPPost {
    /// - `own`: the names of headers that the sink itself sends, in lower case.
    static func headers(
        _ options: OptionReader,
        _ context: ComponentContext,
        besides own: [String]
    ) -> [HTTPHeader] {
        var headers: [HTTPHeader] = []
        for (name, value, place) in options.strings("headers") {
            if let problem = HTTPHeader.problem(name: name, value: value) ?? HTTPPost.reserved(name, own) {
                options.diagnostics.error("\(problem) (\(options.owner))", at: place)
            }
            headers.append(HTTPHeader(name, value))
            context.redactor.add(Secret(value))
        }
        let size = headers.reduce(0) { $0 + $1.name.utf8.count + $1.value.reveal().utf8.count }
        if size > 4 * HTTPHeader.limit {
            options.diagnostics.error(
                "the headers are longer than \(4 * HTTPHeader.limit) bytes together (\(options.owner))",
                at: options.place(of: "headers")
            )
        }
        return headers
    }

    static func reserved(_ name: String, _ more: [String]) -> String? {
        let own: Set<String> = [
            "host", "connection", "keep-alive", "te", "trailer", "upgrade", "content-length", "content-type",
            "transfer-encoding", "expect", "user-agent", "x-hub-signature-256",
        ]
        let name = name.lowercased()
        let isOwn =
            own.contains(name) || more.contains(name) || name.hasPrefix("ce-") || name.hasPrefix("webhook-")
            || name.hasPrefix("proxy-")
        return isOwn ? "the header '\(name)' is Bellhop's own" : nil
    }

    static func signer(_ options: OptionReader, _ context: ComponentContext) -> WebhookSigner? {
        let scheme = options.choice("signing_scheme", default: WebhookSigner.Scheme.standardWebhooks)
        let secrets = options.secrets("signing_secret")
        for secret in secrets { context.redactor.add(secret) }
        guard !secrets.isEmpty else { return nil }
        do {
            return try WebhookSigner(scheme, secrets: secrets)
        } catch {
            options.diagnostics.error(
                "'signing_secret': \(error) (\(options.owner))",
                at: options.place(of: "signing_secret")
            )
            return nil
        }
    }

    static func rate(_ options: OptionReader, preset: Rate?) -> RateLimit? {
        let preset = preset.map { RateLimit($0, .sink) }
        guard let setting = options.optional("rate_limit") else { return preset }
        let text = setting.text ?? ""
        if text == "none" { return nil }
        guard let rate = Rate(text) else {
            options.error("'rate_limit' is a rate like 1/s, 30/m or 5/10s, or none, not \(setting.shown)", setting)
            return preset
        }
        // The reference shows the preset; writing it down changes nothing.
        return rate == preset?.rate ? preset : RateLimit(rate, .host)
    }
}
