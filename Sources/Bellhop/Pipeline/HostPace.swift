import BellhopCore
import Synchronization

/// How fast attempts at one host may begin, for all sinks that send there: its pauses, and the rates it allows.
final class HostPace: Sendable {
    private struct State {
        var pause = HostPause()
        /// By what the rate counts for: a sink's name, or all of the host.
        var limiters: [String?: RateLimiter] = [:]
    }

    private let state = Mutex(State())

    /// Several sinks that limit one host keep to the slowest.
    fileprivate func limit(_ scope: String?, to rate: Rate) {
        self.state.withLock { state in
            if let limiter = state.limiters[scope], limiter.rate.interval >= rate.interval { return }
            state.limiters[scope] = RateLimiter(rate)
        }
    }

    fileprivate func next(_ sink: String, now: Timestamp) -> Timestamp? {
        self.state.withLock { self.next($0, sink, now: now) }
    }

    private func next(_ state: State, _ sink: String, now: Timestamp) -> Timestamp? {
        var latest = state.pause.next(now: now)
        guard !state.limiters.isEmpty else { return latest }
        for scope in [nil, sink] {
            if let next = state.limiters[scope]?.next(now: now) { latest = latest.map { max($0, next) } ?? next }
        }
        return latest
    }

    fileprivate func begin(_ sink: String, now: Timestamp) -> Bool {
        self.state.withLock { state in
            guard self.next(state, sink, now: now) == nil else { return false }
            state.pause.begin()
            guard !state.limiters.isEmpty else { return true }
            for scope in [nil, sink] { state.limiters[scope]?.take(now: now) }
            return true
        }
    }

    fileprivate func end(_ verdict: Verdict, now: Timestamp) -> Duration? {
        self.state.withLock { $0.pause.end(verdict, now: now, jitter: Double.random(in: 0...1)) }
    }
}

/// The pace that one sink keeps.
struct SinkPace: Sendable {
    private let host: HostPace?
    private let sink: String

    fileprivate init(_ host: HostPace?, sink: String) {
        self.host = host
        self.sink = sink
    }

    /// Nil when an attempt may begin now; otherwise when to ask again.
    func next(now: Timestamp) -> Timestamp? { self.host?.next(self.sink, now: now) }

    /// Takes the right to begin an attempt, where there is one.
    func begin(now: Timestamp) -> Bool { self.host?.begin(self.sink, now: now) ?? true }

    /// - Returns: the length of a pause that began.
    func end(_ verdict: Verdict, now: Timestamp) -> Duration? { self.host?.end(verdict, now: now) }
}

/// The paces of all hosts; one for a pipeline.
final class HostPaces: Sendable {
    private let hosts = Mutex<[String: HostPace]>([:])

    func pace(of sink: any Sink) -> SinkPace {
        guard let name = sink.dispatch.host else { return SinkPace(nil, sink: sink.name) }
        let host = self.hosts.withLock { hosts in
            let host = hosts[name] ?? HostPace()
            hosts[name] = host
            return host
        }
        if let limit = sink.dispatch.rate {
            host.limit(limit.scope == .host ? nil : sink.name, to: limit.rate)
        }
        return SinkPace(host, sink: sink.name)
    }
}
