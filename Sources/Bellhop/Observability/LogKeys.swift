/// The names of values in log lines; messages are fixed sentences.
enum LogKeys {
    static let attempt = "attempt"
    static let count = "count"
    static let delivery = "delivery"
    static let file = "file"
    static let reason = "reason"
    static let retryIn = "retry_in"
    static let rule = "rule"
    static let sink = "sink"
    static let source = "source"
}
