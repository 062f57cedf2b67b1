import BellhopCore
import Logging
import Synchronization

/// How a dispatcher comes to its deliveries: from memory, from the spool, and again when their time has come.
extension Dispatcher {
    func take(_ deliveries: [PendingDelivery], into state: inout State, now: Timestamp) {
        for delivery in deliveries where !state.window.contains(delivery.id) {
            if state.unsettled.contains(delivery.id) || state.settledDuringRead.contains(delivery.id) { continue }
            state.window.append(delivery, now: now)
        }
        state.cursor = max(state.cursor, deliveries.last?.id ?? 0)
        if state.window.nextDue != nil { self.alarm.ring() }
    }

    /// As many idle workers as there are lanes ready.
    func awaken(_ state: inout State) -> [CheckedContinuation<Void, Never>] {
        let count = min(state.window.readyLanes, state.idle.count)
        let awake = state.idle.suffix(count)
        state.idle.removeLast(count)
        return Array(awake)
    }

    func isDone(_ state: State) -> Bool {
        switch state.phase {
        case .running: false
        case .stopped: state.inFlight == 0
        case .finishing: state.window.isEmpty && !state.isBehind && !state.isReading && state.inFlight == 0
        }
    }

    func endIfDone() {
        let idle: [CheckedContinuation<Void, Never>] = self.state.withLock { state in
            guard state.phase == .stopped || self.isDone(state) else { return [] }
            if self.isDone(state) {
                self.feeder.close()
                self.alarm.close()
            }
            defer { state.idle = [] }
            return state.idle
        }
        for continuation in idle { continuation.resume() }
    }

    /// Waits for the next retry in short steps, and only while there is one: a retry that comes in meanwhile is seen at
    /// most a step late.
    func wakeWhenDue() async {
        for await _ in self.alarm.rings {
            while let due = self.state.withLock({ $0.phase == .stopped ? nil : $0.window.nextDue }) {
                let wait = due - self.clock.now()
                if wait > .zero {
                    guard (try? await self.clock.sleep(for: min(wait, .milliseconds(100)))) != nil else { return }
                    continue
                }
                let idle = self.state.withLock { state in state.idle.popLast() }
                // Nobody idle: whoever is done first looks for what is due.
                guard let idle else {
                    guard (try? await self.clock.sleep(for: .milliseconds(20))) != nil else { return }
                    continue
                }
                idle.resume()
                await Task.yield()
            }
        }
    }

    /// Fills the window from the spool.
    func feed() async {
        var failures = 0
        for await _ in self.feeder.rings {
            while let (cursor, limit, generation) = self.startReading() {
                do {
                    let read = try await self.spool.pending(
                        sink: self.sink.name,
                        after: cursor,
                        limit: limit,
                        byteLimit: Dispatcher.byteLimit / 4
                    )
                    failures = 0
                    self.endReading(generation, read)
                } catch {
                    failures += 1
                    self.endReading(generation, nil)
                    if failures == 1 {
                        self.logger.error(
                            "deliveries cannot be read from the spool",
                            metadata: [LogKeys.reason: "\(error)"]
                        )
                    }
                    if self.once, failures == 5 { self.shutdown.begin(fault: "\(error)") }
                    try? await self.clock.sleep(for: .seconds(1))
                }
            }
            self.endIfDone()
        }
    }

    private func startReading() -> (cursor: Delivery.ID, limit: Int, generation: Int)? {
        self.state.withLock { state in
            let room = min(state.window.room, Dispatcher.readLimit)
            guard state.phase != .stopped, state.isBehind, room > 0, state.window.readyLanes < Dispatcher.readLimit,
                state.window.bytes < Dispatcher.byteLimit
            else { return nil }
            state.isReading = true
            state.isBehind = false
            return (state.cursor, room, state.generation)
        }
    }

    private func endReading(_ generation: Int, _ read: [PendingDelivery]?) {
        let now = self.clock.now()
        let awake = self.state.withLock { state in
            state.isReading = false
            guard let read else {
                state.isBehind = true
                return [CheckedContinuation<Void, Never>]()
            }
            // Somebody asked for everything again while this was read.
            guard state.generation == generation else {
                state.settledDuringRead = []
                return []
            }
            self.take(read, into: &state, now: now)
            state.settledDuringRead = []
            // An empty read is the end, unless more was committed meanwhile (then `offer` has set the flag again).
            if !read.isEmpty { state.isBehind = true }
            return self.awaken(&state)
        }
        for continuation in awake { continuation.resume() }
    }
}
