import Foundation
import Glibc

/// A TCP connection to loopback that sends what it is told, as slowly as it is told. Blocks a thread of its own, not one
/// of Swift's.
enum RawConnection {
    enum Step: Sendable {
        case send(String)
        case wait(milliseconds: UInt32)
        /// Reads until as many answers as that have begun (`HTTP/1.1 `), or the connection ends.
        case read(answers: Int)
        /// Says that nothing more will be sent.
        case finish
        /// Sends a text again and again, with pauses, until the other side has closed the connection.
        case drip(String, milliseconds: UInt32)
        /// The same without pauses.
        case flood(String)
        /// Notes the time.
        case mark
    }

    struct Transcript: Sendable {
        var text = ""
        /// The other side closed the connection.
        var isClosed = false
        var isConnected = false
        var marks: [ContinuousClock.Instant] = []
        /// Bytes of what was dripped or flooded.
        var sent = 0

        var statuses: [Int] {
            self.text.split(separator: "HTTP/1.1 ", omittingEmptySubsequences: true).dropFirst(
                self.text.hasPrefix("HTTP/1.1 ") ? 0 : 1
            ).compactMap { Int($0.prefix(3)) }
        }
    }

    /// Runs the steps, then reads until the other side closes.
    ///
    /// - `closes`: false closes right behind the last step.
    /// - `patience`: seconds without a byte after which it gives up.
    static func run(port: Int, closes: Bool = true, patience: Int = 120, _ steps: [Step]) async -> Transcript {
        await withCheckedContinuation { continuation in
            Thread.detachNewThread { continuation.resume(returning: Self.work(port, closes, patience, steps)) }
        }
    }

    static func post(_ path: String, _ body: String, more: String = "") -> String {
        "POST \(path) HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: \(body.utf8.count)\r\n\(more)\r\n\(body)"
    }

    private static func work(_ port: Int, _ closes: Bool, _ patience: Int, _ steps: [Step]) -> Transcript {
        var transcript = Transcript()
        let handle = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(handle) }
        var limit = timeval(tv_sec: patience, tv_usec: 0)
        setsockopt(handle, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        var address = Self.address(UInt16(port))
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(handle, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard result == 0 else { return transcript }
        transcript.isConnected = true
        func read(while isWanted: () -> Bool) {
            var buffer = [UInt8](repeating: 0, count: 65_536)
            while isWanted() {
                let count = recv(handle, &buffer, buffer.count, 0)
                if count <= 0 {
                    transcript.isClosed = count == 0 || errno == ECONNRESET
                    return
                }
                transcript.text += String(decoding: buffer[..<count], as: UTF8.self)
            }
        }
        for step in steps {
            switch step {
            case .send(let text):
                var text = text
                _ = text.withUTF8 { send(handle, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            case .wait(let milliseconds): usleep(milliseconds * 1000)
            case .read(let answers): read { transcript.statuses.count < answers && !transcript.isClosed }
            case .finish: shutdown(handle, Int32(SHUT_WR))
            case .mark: transcript.marks.append(.now)
            case .drip(let text, let pause):
                let bytes = Array(text.utf8)
                while send(handle, bytes, bytes.count, Int32(MSG_NOSIGNAL)) > 0 {
                    transcript.sent += bytes.count
                    usleep(pause * 1000)
                }
                transcript.isClosed = true
            case .flood(let text):
                let bytes = Array(text.utf8)
                while transcript.sent < 100_000_000 {
                    let count = send(handle, bytes, bytes.count, Int32(MSG_NOSIGNAL))
                    if count <= 0 { break }
                    transcript.sent += count
                }
                transcript.isClosed = transcript.sent < 100_000_000
            }
        }
        if closes { read { !transcript.isClosed } }
        return transcript
    }

    private static func address(_ port: UInt16) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = INADDR_LOOPBACK.bigEndian
        return address
    }
}
