import BellhopCore

/// PagerDuty's Events API v2 (developer.pagerduty.com/docs/events-api-v2). An alert is one incident there: its start and
/// time-out trigger it, an acknowledgement acknowledges, its end resolves.
package struct PagerDuty: ChatService {
    package static let kind = "pagerduty"
    package static let reference = """
        # Triggers, acknowledges and resolves PagerDuty incidents, one for each alert (Events API v2).
        kind: pagerduty
        routing_key: ${PAGERDUTY_ROUTING_KEY}   # the integration key of the service
        severity: critical                      # critical, error, warning or info
        base_url: https://events.pagerduty.com  # in Europe https://events.eu.pagerduty.com
        """

    /// About 120 a minute for each key.
    package static let rate: Rate? = Rate(120, per: .seconds(60))
    /// Code points.
    static let summaryLimit = 1024
    static let keyLimit = 255
    /// Bytes of the whole body: 512 KB.
    static let bodyLimit = 512_000

    enum Severity: String, CaseIterable, Sendable { case critical, error, warning, info }

    package let endpoint: ChatEndpoint
    private let key: Secret
    private let severity: Severity

    package init(_ options: OptionReader) {
        self.key = options.requiredSecret("routing_key", "the integration key of the PagerDuty service")
        self.severity = options.choice("severity", default: .critical)
        let secrets = self.key.isEmpty ? [] : [self.key]
        self.endpoint = .path("/v2/enqueue", options, base: "https://events.pagerduty.com", secrets: secrets)
    }

    package func post(_ context: MessageContext) -> ChatPost {
        let action =
            switch context.text("content", "type") {
            case "acknowledged": "acknowledge"
            case "end": "resolve"
            default: "trigger"
            }
        let members: [(name: String, value: String?)] = [
            ("routing_key", JSONText.string(self.key.reveal())),
            ("event_action", JSONText.string(action)),
            // The same for all events of one alert, or each delivery would be an incident.
            ("dedup_key", JSONText.string(AlertKey.text(context, limit: PagerDuty.keyLimit))),
        ]
        guard action == "trigger" else { return ChatPost(JSONText.object(members)) }
        let whole = JSONText.object(members + [("payload", self.payload(context, details: context.event.data.string))])
        if whole.utf8.count <= PagerDuty.bodyLimit { return ChatPost(whole) }
        let note = JSONText.object(["left_out": "\"the event is larger than PagerDuty takes\""])
        return ChatPost(JSONText.object(members + [("payload", self.payload(context, details: note))]))
    }

    private func payload(_ context: MessageContext, details: String) -> String {
        let message = ChatMessage(context, .clean)
        let summary = message.title ?? message.text
        let source = context.text("task", "name")
        return JSONText.object([
            ("summary", JSONText.string(Truncation.codePoints(summary.onOneLine, PagerDuty.summaryLimit))),
            ("source", JSONText.string(Truncation.codePoints(source.isEmpty ? context.event.source : source, 255))),
            ("severity", JSONText.string(self.severity.rawValue)),
            ("timestamp", JSONText.string(context.event.time.formatted(.milliseconds))),
            ("class", JSONText.string(Truncation.codePoints(context.text("content", "type"), 255))),
            ("custom_details", details),
        ])
    }
}
