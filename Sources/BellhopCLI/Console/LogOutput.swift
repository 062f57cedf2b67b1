import Bellhop
import BellhopCore
import Logging

/// Writes log lines to standard error: text for people, or JSON for machines.
struct LogOutput: LogHandler {
    enum Format: String, CaseIterable, Sendable { case text, json }

    var logLevel: Logger.Level
    var metadata: Logger.Metadata = [:]
    var metadataProvider: Logger.MetadataProvider?
    private let format: Format

    init(level: Logger.Level, format: Format) {
        self.logLevel = level
        self.format = format
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { self.metadata[key] }
        set { self.metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let values = self.metadata.merging(event.metadata ?? [:]) { $1 }.sorted { $0.key < $1.key }
        let time = SystemClock().now().formatted(.milliseconds)
        switch self.format {
        case .json:
            var members = [("time", time), ("level", event.level.rawValue), ("message", event.message.description)]
            members += values.map { ($0.key, $0.value.description) }
            let text = members.map { "\(JSONText.string($0.0)):\(JSONText.string($0.1))" }.joined(separator: ",")
            Terminal.shared.print("{\(text)}")
        case .text:
            let pairs = values.map { " \($0.key)=\(LogOutput.quoted($0.value.description))" }.joined()
            Terminal.shared.print("\(time) \(self.label(event.level)) \(event.message)\(pairs)")
        }
    }

    private func label(_ level: Logger.Level) -> String {
        let style: Terminal.Style =
            switch level {
            case .trace, .debug: .dim
            case .info, .notice: .green
            case .warning: .yellow
            case .error, .critical: .red
            }
        let name = level.rawValue
        return Terminal.style(name, style, when: Terminal.errorIsTerminal)
            + String(repeating: " ", count: max(0, 7 - name.count))
    }

    private static func quoted(_ text: String) -> String {
        let isPlain =
            !text.isEmpty
            && text.unicodeScalars.allSatisfy { $0.value > 32 && $0.value != 127 && $0 != "\"" && $0 != "=" }
        return isPlain ? text : JSONText.string(text)
    }
}
