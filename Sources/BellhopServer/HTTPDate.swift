import Bellhop
import BellhopCore
import Synchronization

/// The time as HTTP writes it (RFC 9110 §5.6.7), made once a second.
final class HTTPDate: Sendable {
    private let last = Mutex<(second: Int64, text: String)>((0, ""))

    var text: String {
        let now = SystemClock().now()
        return self.last.withLock { last in
            if last.second != now.seconds { last = (now.seconds, now.httpDate) }
            return last.text
        }
    }
}
