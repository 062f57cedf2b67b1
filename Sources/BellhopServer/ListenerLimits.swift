import Glibc

/// What one listening address takes at most, so that neither slow clients nor many can use up the machine.
package struct ListenerLimits: Sendable {
    /// Further ones wait in the system's queue.
    package var connections = ListenerLimits.affordableConnections
    /// From the connection, or the answer before, to the end of a request's header.
    package var head: Duration = .seconds(10)
    /// How long a connection may stay open between requests.
    package var idle: Duration = .seconds(60)
    /// From the header to the end of the body.
    package var body: Duration = .seconds(30)
    /// From the end of the body to the end of the answer.
    package var answer: Duration = .seconds(60)
    /// For a body that nobody wants any more.
    package var linger: Duration = .seconds(2)
    /// Bytes of it.
    package var wasted = 1024 * 1024
    /// How often those times are looked at.
    package var tick: Duration = .seconds(1)
    /// Bytes of a request's header.
    package var headSize = 32 * 1024
    /// Bytes of all bodies that are being received or answered.
    package var bodies = 64 * 1024 * 1024

    package init() {}

    /// Each costs a descriptor, and some must be left for files and for what is sent.
    private static var affordableConnections: Int {
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        return min(512, max(16, (Int(clamping: limit.rlim_cur) - 200) / 4))
    }
}
