/// The kinds of sinks there are. A new one is one file, and one line here.
package enum Sinks {
    package static let all: [any Sink.Type] = [
        WebhookSink.self,
        ChatSink<Slack>.self,
        ChatSink<Discord>.self,
        ChatSink<Teams>.self,
        ChatSink<GoogleChat>.self,
        ChatSink<Mattermost>.self,
        ChatSink<RocketChat>.self,
        ChatSink<Telegram>.self,
        ChatSink<PagerDuty>.self,
        ChatSink<Opsgenie>.self,
        ChatSink<Ntfy>.self,
        FileSink.self,
        StdoutSink.self,
        CommandSink.self,
    ]
}
