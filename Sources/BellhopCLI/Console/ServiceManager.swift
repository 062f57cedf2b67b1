import Bellhop
import BellhopCore
import Glibc

/// systemd, or whoever else started this process and wants to hear how it is: sd_notify(3).
struct ServiceManager: Sendable {
    /// A Unix socket's path; one that begins with @ is abstract.
    private let socket: String
    /// How often it wants to hear that nothing hangs; nil where it does not.
    private let watchdog: Duration?

    /// - `environment`: nil is made of one in which nobody asks.
    init?(environment: [String: String]) {
        guard let socket = environment["NOTIFY_SOCKET"], socket.hasPrefix("/") || socket.hasPrefix("@"),
            socket.utf8.count < 108
        else { return nil }
        self.socket = socket
        // For another process where it names one.
        let isMine = environment["WATCHDOG_PID"].map { $0 == "\(getpid())" } ?? true
        self.watchdog = isMine ? environment["WATCHDOG_USEC"].flatMap(Int64.init).map { .microseconds($0) } : nil
    }

    /// Tells that it is ready once it is, then how it is, and that nothing hangs, until cancelled.
    ///
    /// - `health`: how it is now.
    /// - `touch`: comes back once the spool has answered.
    func run(health: @Sendable () -> Health, counts: @Sendable () -> String, touch: @Sendable () async -> Void) async {
        // A source that does not answer must not keep the service from counting as started.
        for _ in 0..<300 where !health().isReady {
            guard (try? await Task.sleep(for: .milliseconds(100))) != nil else { return }
        }
        let interval = min(.seconds(10), (self.watchdog ?? .seconds(20)) / 2)
        while !Task.isCancelled {
            let now = health()
            let status = now.reasons.first.map { "\($0)" } ?? counts()
            // READY each time: a manager that is busy may have lost the first, and would end us for it.
            self.notify("READY=1\nSTATUS=\(status.onOneLine)" + (self.watchdog == nil ? "" : "\nWATCHDOG=1"))
            guard (try? await Task.sleep(for: interval)) != nil else { return }
            // Where it hangs, systemd does not hear of us any more, and starts us again.
            await touch()
        }
    }

    func notify(_ text: String) {
        let handle = Glibc.socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard handle >= 0 else { return }
        defer { close(handle) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        var path = Array(self.socket.utf8)
        if path.first == UInt8(ascii: "@") { path[0] = 0 }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path) }
        let length = socklen_t(MemoryLayout<sa_family_t>.size + path.count)
        let bytes = Array(text.utf8)
        withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                // A manager that does not listen is no reason to stop.
                _ = sendto(handle, bytes, bytes.count, Int32(MSG_DONTWAIT), $0, length)
            }
        }
    }
}
