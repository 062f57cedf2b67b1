import BellhopCore
import Synchronization

/// Which attempts may begin, and when: what the window holds, if the breaker admits it and the host's pace allows it.
extension Dispatcher {
    /// What a worker takes.
    struct Claim {
        enum Purpose {
            case attempt
            case giveUp(reason: String)
        }

        var deliveries: [PendingDelivery] = []
        var purpose = Purpose.attempt
    }

    /// Waits for deliveries that may go now; nil when there is no more to do.
    func next() async -> Claim? {
        while true {
            let now = self.clock.now()
            let (claim, isOver): (Claim, Bool) = self.state.withLock { state in
                guard state.phase != .stopped else { return (Claim(), true) }
                let claim = self.claim(&state, now: now)
                state.inFlight += claim.deliveries.count
                if state.isBehind && state.window.readyLanes < Dispatcher.readLimit / 4 { self.feeder.ring() }
                return (claim, claim.deliveries.isEmpty && self.isDone(state))
            }
            if !claim.deliveries.isEmpty { return claim }
            if isOver {
                self.endIfDone()
                return nil
            }
            await withCheckedContinuation { continuation in
                let mayGo = self.state.withLock { state in
                    if state.phase == .stopped || self.isDone(state) { return true }
                    switch self.chance(&state, now: self.clock.now()) {
                    case .now: return true
                    case .at: self.alarm.ring()
                    case .none: break
                    }
                    state.idle.append(continuation)
                    return false
                }
                if mayGo { continuation.resume() }
            }
        }
    }

    private func claim(_ state: inout State, now: Timestamp) -> Claim {
        guard state.window.hasReady(now: now) else { return Claim() }
        var claim = Claim()
        switch state.breaker.admission(now: now) {
        case .yes:
            guard self.pace.begin(now: now) else { break }
            claim.deliveries = state.window.claim(now: now)
            if claim.deliveries.isEmpty { self.giveBackPace(now: now) }
        case .probe:
            guard self.pace.begin(now: now) else { break }
            // One that the receiver has not refused before tells most.
            claim.deliveries = state.window.claim(now: now, limit: 1) { $0.attempts == 0 }
            if claim.deliveries.isEmpty { claim.deliveries = state.window.claim(now: now, limit: 1) }
            if let probe = claim.deliveries.first {
                state.breaker.probe(with: probe.id)
            } else {
                self.giveBackPace(now: now)
            }
        case .no, .notBefore: break
        }
        if claim.deliveries.isEmpty, let reason = state.breaker.reason {
            claim.deliveries = state.window.claim(now: now) { delivery in
                self.policy.retry.isTooOld(accepted: delivery.accepted, now: now)
            }
            claim.purpose = .giveUp(reason: reason)
        }
        return claim
    }

    /// Nothing was begun after all.
    private func giveBackPace(now: Timestamp) { _ = self.pace.end(.failure(.cancelled), now: now) }

    /// When the next attempt may begin, as far as anybody knows.
    enum Chance: Equatable {
        case now
        case at(Timestamp)
        /// Not before something else happens, which will say so.
        case none
    }

    func chance(_ state: inout State, now: Timestamp) -> Chance {
        var earliest = now
        if !state.window.hasReady(now: now) {
            guard let due = state.window.nextDue else { return .none }
            earliest = due
        }
        switch state.breaker.admission(now: now) {
        case .yes, .probe: break
        case .notBefore(let time): earliest = max(earliest, time)
        case .no: return .none
        }
        if let next = self.pace.next(now: now) { earliest = max(earliest, next) }
        return earliest <= now ? .now : .at(earliest)
    }

    /// As many idle workers as may begin.
    func awaken(_ state: inout State) -> [CheckedContinuation<Void, Never>] {
        switch self.chance(&state, now: self.clock.now()) {
        case .now: break
        case .at:
            self.alarm.ring()
            return []
        case .none: return []
        }
        let count = min(state.breaker.isOpen ? 1 : state.window.readyLanes, state.idle.count)
        let awake = state.idle.suffix(count)
        state.idle.removeLast(count)
        return Array(awake)
    }
}
