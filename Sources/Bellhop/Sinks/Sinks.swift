/// Every kind of sink. Adding one is a file of its own and a line here.
package enum Sinks {
    package static let all: [any Sink.Type] = [FileSink.self, SlackSink.self, StdoutSink.self, WebhookSink.self]
}
