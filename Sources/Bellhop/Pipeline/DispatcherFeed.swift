import BellhopCore
import Logging
import Synchronization

/// How a dispatcher comes to its deliveries: from memory, from the spool, and again when their time has come.
extension Dispatcher {
    func take(_ deliveries: [PendingDelivery], into state: inout State, now: Timestamp) {
        for delivery in deliveries where !state.window.contains(delivery.id) {
            if state.unsettled[delivery.id] != nil || state.settledDuringRead.contains(delivery.id) { continue }
            state.window.append(delivery, now: now)
        }
        state.cursor = max(state.cursor, deliveries.last?.id ?? 0)
        if state.window.nextDue != nil { self.alarm.ring() }
    }

    func isDone(_ state: State) -> Bool {
        switch state.phase {
        case .running: false
        case .stopped: state.inFlight == 0
        case .finishing where state.breaker.isDisabled: state.inFlight == 0
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

    /// Waits for the next chance in short steps, and only while there is one: what changes meanwhile is seen at most a
    /// step late.
    func wakeWhenDue() async {
        var last = self.clock.now()
        for await _ in self.alarm.rings {
            while let next = self.nextChance(&last) {
                let wait = next - self.clock.now()
                if wait > .zero {
                    guard (try? await self.clock.sleep(for: min(wait, .milliseconds(100)))) != nil else { return }
                    continue
                }
                let idle = self.state.withLock { state in
                    let now = self.clock.now()
                    if let load = state.window.nextLoad, load <= now { self.feeder.ring() }
                    return self.chance(&state, now: now) == .now ? state.idle.popLast() : nil
                }
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

    private func nextChance(_ last: inout Timestamp) -> Timestamp? {
        let now = self.clock.now()
        defer { last = now }
        return self.state.withLock { state in
            guard state.phase != .stopped, !self.isDone(state) else { return nil }
            if last - now > .seconds(1) { state.window.clockWentBack(by: last - now) }
            let load = state.window.nextLoad
            switch self.chance(&state, now: now) {
            case .now: return now
            case .at(let time): return load.map { min(time, $0) } ?? time
            case .none: return load
            }
        }
    }

    // MARK: - Reading

    /// What a read is for.
    private enum Reading {
        /// What follows the cursor.
        case following(Delivery.ID, limit: Int)
        /// Parked lanes whose time has come.
        case lanes([LaneKey], upTo: Delivery.ID)
    }

    /// Fills the window from the spool.
    func feed() async {
        var failures = 0
        for await _ in self.feeder.rings {
            while let (reading, generation) = self.startReading() {
                do {
                    switch reading {
                    case .following(let cursor, let limit):
                        let read = try await self.spool.pending(
                            sink: self.sink.name,
                            after: cursor,
                            limit: limit,
                            byteLimit: Dispatcher.byteLimit / 4
                        )
                        self.endReading(generation) { state, now in
                            self.take(read, into: &state, now: now)
                            // An empty read is the end, unless more was committed meanwhile (`offer` has set the flag).
                            if !read.isEmpty { state.isBehind = true }
                        }
                    case .lanes(let keys, let cursor):
                        let read = try await self.spool.pending(
                            sink: self.sink.name,
                            lanes: keys.map(\.inSpool),
                            upTo: cursor,
                            limit: Dispatcher.laneReadLimit
                        )
                        self.endReading(generation) { state, now in
                            for (key, deliveries) in zip(keys, read) {
                                self.load(key, deliveries, into: &state, now: now)
                            }
                        }
                    }
                    failures = 0
                } catch {
                    failures += 1
                    self.failReading(generation, reading)
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

    private func startReading() -> (Reading, generation: Int)? {
        self.state.withLock { state in
            guard state.phase != .stopped, state.window.readyLanes < Dispatcher.readLimit,
                state.window.bytes < Dispatcher.byteLimit
            else { return nil }
            let now = self.clock.now()
            let wantsRoom = state.isBehind || state.window.nextLoad.map { $0 <= now } == true
            if wantsRoom, state.window.room < state.window.limits.deliveries / 8 {
                state.window.parkLatest(state.window.limits.deliveries / 4, but: Set(state.unsettled.keys))
            }
            let room = min(state.window.room, Dispatcher.readLimit)
            guard room > 0 else { return nil }
            let keys = state.window.lanesToLoad(now: now, limit: max(1, room / Dispatcher.laneReadLimit))
            if !keys.isEmpty {
                state.isReading = true
                return (.lanes(keys, upTo: state.cursor), state.generation)
            }
            guard state.isBehind else { return nil }
            state.isReading = true
            state.isBehind = false
            return (.following(state.cursor, limit: room), state.generation)
        }
    }

    private func load(_ key: LaneKey, _ read: [PendingDelivery], into state: inout State, now: Timestamp) {
        let waiting = read.filter { state.unsettled[$0.id] == nil && !state.settledDuringRead.contains($0.id) }
        state.window.load(key, waiting, isCut: read.count == Dispatcher.laneReadLimit, now: now)
    }

    private func endReading(_ generation: Int, _ use: (inout State, Timestamp) -> Void) {
        let now = self.clock.now()
        let awake = self.state.withLock { state in
            state.isReading = false
            defer { state.settledDuringRead = [] }
            // Somebody asked for everything again while this was read.
            guard state.generation == generation else { return [CheckedContinuation<Void, Never>]() }
            use(&state, now)
            if state.window.nextDue != nil || state.window.nextLoad != nil { self.alarm.ring() }
            return self.awaken(&state)
        }
        for continuation in awake { continuation.resume() }
    }

    private func failReading(_ generation: Int, _ reading: Reading) {
        let now = self.clock.now()
        self.state.withLock { state in
            state.isReading = false
            state.settledDuringRead = []
            guard state.generation == generation else { return }
            switch reading {
            case .following: state.isBehind = true
            case .lanes(let keys, _): for key in keys { state.window.park(key, until: now + .seconds(1)) }
            }
        }
    }
}
