import Bellhop
import BellhopCore
import Synchronization

/// A clock that stands still until a test moves it.
package final class ManualClock: WallClock {
    private struct Sleeper {
        let id: Int
        var until: Timestamp
        let continuation: CheckedContinuation<Void, any Error>
    }

    private struct State {
        var now: Timestamp
        var sleepers: [Sleeper] = []
        var nextID = 0
        var cancelled: Set<Int> = []
    }

    private let state: Mutex<State>
    /// How long each sleep was meant to be, as it begins: await it, then ``advance(by:)``.
    package let sleeps: AsyncStream<Duration>
    private let begun: AsyncStream<Duration>.Continuation

    package init(now: Timestamp = Timestamp(seconds: 1_723_141_540)) {
        self.state = Mutex(State(now: now))
        // Grows by one for each sleep of a test, which reads them.
        (self.sleeps, self.begun) = AsyncStream.makeStream()
    }

    package func now() -> Timestamp { self.state.withLock { $0.now } }

    package func sleep(for duration: Duration) async throws {
        let id = self.state.withLock { state in
            state.nextID += 1
            return state.nextID
        }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let isOver: Result<Void, any Error>? = self.state.withLock { state in
                    if state.cancelled.remove(id) != nil { return .failure(CancellationError()) }
                    if duration <= .zero { return .success(()) }
                    state.sleepers.append(Sleeper(id: id, until: state.now + duration, continuation: continuation))
                    return nil
                }
                if let isOver { continuation.resume(with: isOver) } else { self.begun.yield(duration) }
            }
        } onCancel: {
            let sleeper = self.state.withLock { state in
                guard let index = state.sleepers.firstIndex(where: { $0.id == id }) else {
                    state.cancelled.insert(id)
                    return Sleeper?.none
                }
                return state.sleepers.remove(at: index)
            }
            sleeper?.continuation.resume(throwing: CancellationError())
        }
    }

    /// Sets the clock, as somebody may who keeps the time; who sleeps sleeps as long as before.
    package func jump(by duration: Duration) {
        self.state.withLock { state in
            state.now = state.now + duration
            for index in state.sleepers.indices { state.sleepers[index].until = state.sleepers[index].until + duration }
        }
    }

    package func advance(by duration: Duration) {
        let awake = self.state.withLock { state in
            state.now = state.now + duration
            let now = state.now
            defer { state.sleepers.removeAll { $0.until <= now } }
            return state.sleepers.filter { $0.until <= now }
        }
        for sleeper in awake { sleeper.continuation.resume() }
    }
}

/// A clock that stands still, and on which nobody waits.
package struct StandingClock: WallClock {
    private let time: Timestamp

    package init(_ time: Timestamp) { self.time = time }

    package func now() -> Timestamp { self.time }

    package func sleep(for duration: Duration) async throws {
        try Task.checkCancellation()
        await Task.yield()
    }
}

/// A clock on which nobody waits: each sleep moves it on by as long as it was meant to be.
package final class SteppingClock: WallClock {
    private let state: Mutex<(now: Timestamp, sleeps: Int)>

    package init(_ now: Timestamp) { self.state = Mutex((now, 0)) }

    package func now() -> Timestamp { self.state.withLock { $0.now } }
    /// How many sleeps there were.
    package var sleeps: Int { self.state.withLock { $0.sleeps } }

    package func step(_ duration: Duration) { self.state.withLock { $0.now = $0.now + duration } }

    package func sleep(for duration: Duration) async throws {
        try Task.checkCancellation()
        self.state.withLock { $0 = ($0.now + duration, $0.sleeps + 1) }
        // Polls that never wait would leave nothing of the machine to the other side.
        try await Task.sleep(for: .milliseconds(1))
    }
}
