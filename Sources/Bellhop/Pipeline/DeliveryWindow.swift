import BellhopCore
import DequeModule
import HeapModule

/// The deliveries of one sink that memory holds, in lanes: deliveries of one lane leave one after the other, lanes
/// beside each other. Decides what goes next; does nothing itself.
///
/// It holds a run of the spool's pending deliveries, so that a lane's first delivery here is its first of all. Bounded:
/// lanes that wait longest are parked, which means that only their names stay here, and of a long lane only its start is
/// here. What is missing is in the spool, and ``lanesToLoad(now:limit:)`` says what of it is wanted.
struct DeliveryWindow {
    struct Limits {
        /// Deliveries in memory.
        var deliveries = 4096
        /// Of one task. Its others follow when these have left.
        var perLane = 256
        /// Lanes known by name only: the tasks that may be stuck before younger ones have to wait.
        var parked = 200_000
    }

    private struct Lane {
        var waiting: Deque<PendingDelivery> = []
        var inFlight: [PendingDelivery] = []
        /// More of it follows in the spool.
        var isCut = false
    }

    private struct Alarm: Comparable {
        let due: Timestamp
        let key: LaneKey

        static func < (left: Alarm, right: Alarm) -> Bool { left.due < right.due }
    }

    let limits: Limits
    private let policy: DispatchPolicy
    private var lanes: [LaneKey: Lane] = [:]
    /// Lanes whose first delivery may go now.
    private var ready: Deque<LaneKey> = []
    /// Lanes whose first delivery waits for its time.
    private var later: Heap<Alarm> = []
    private var keys: [Delivery.ID: LaneKey] = [:]
    /// Lanes that are in the spool only.
    private var parked: Set<LaneKey> = []
    /// When they are wanted here again; those that are being loaded have left it.
    private var parkedLater: Heap<Alarm> = []
    /// Parked lanes whose first delivery need not wait for its time any more.
    private var hastened: Set<LaneKey> = []
    /// Of the events that wait here.
    private(set) var bytes = 0

    init(_ policy: DispatchPolicy, limits: Limits = Limits()) {
        self.policy = policy
        self.limits = limits
    }

    var count: Int { self.keys.count }
    var parkedCount: Int { self.parked.count }
    var isEmpty: Bool { self.keys.isEmpty && self.parked.isEmpty }
    var readyLanes: Int { self.ready.count }
    var room: Int { self.limits.deliveries - self.keys.count }
    /// When the next delivery that waits for its time may go.
    var nextDue: Timestamp? { self.later.min?.due }
    /// When a parked lane is wanted again.
    var nextLoad: Timestamp? { self.parkedLater.min?.due }

    func contains(_ id: Delivery.ID) -> Bool { self.keys[id] != nil }

    mutating func append(_ delivery: PendingDelivery, now: Timestamp) {
        let key = self.key(of: delivery)
        // It is found in the spool when its lane is loaded.
        guard !self.parked.contains(key) else { return }
        if let lane = self.lanes[key], self.policy.order == .task,
            lane.isCut || lane.waiting.count >= self.limits.perLane
        {
            self.lanes[key]?.isCut = true
            return
        }
        self.insert(delivery, key, now: now)
    }

    private mutating func insert(_ delivery: PendingDelivery, _ key: LaneKey, now: Timestamp) {
        var delivery = delivery
        delivery.due = min(delivery.due, now + self.policy.retry.longestWait)
        self.keys[delivery.id] = key
        self.bytes += delivery.size
        let isFirst = self.lanes[key] == nil
        self.lanes[key, default: Lane()].waiting.append(delivery)
        if isFirst { self.schedule(key, now: now) }
    }

    // MARK: - Attempts

    /// Whether something waits for nothing but a worker.
    mutating func hasReady(now: Timestamp) -> Bool {
        while let alarm = self.later.min, alarm.due <= now {
            self.ready.append(self.later.removeMin().key)
        }
        return !self.ready.isEmpty
    }

    /// Takes deliveries for one call of the sink: several of one lane only where a sink takes many in order.
    ///
    /// - `isWanted`: asked about the first delivery of each lane; nil takes whatever comes first.
    mutating func claim(
        now: Timestamp,
        limit: Int? = nil,
        where isWanted: ((PendingDelivery) -> Bool)? = nil
    ) -> [PendingDelivery] {
        guard self.hasReady(now: now) else { return [] }
        let limit = limit ?? self.policy.batchLimit
        var claimed: [PendingDelivery] = []
        while claimed.count < limit, let key = self.nextReady(isWanted) {
            guard self.lanes[key]?.inFlight.isEmpty == true else { continue }
            let count = min(limit - claimed.count, self.lanes[key]?.waiting.count ?? 0)
            for _ in 0..<count {
                // In place: a lane taken out of the dictionary would be copied as a whole.
                guard let delivery = self.lanes[key]?.waiting.popFirst() else { break }
                self.bytes -= delivery.size
                self.lanes[key]?.inFlight.append(delivery)
                claimed.append(delivery)
            }
        }
        return claimed
    }

    private mutating func nextReady(_ isWanted: ((PendingDelivery) -> Bool)?) -> LaneKey? {
        guard let isWanted else { return self.ready.popFirst() }
        let index = self.ready.firstIndex { key in self.lanes[key]?.waiting.first.map(isWanted) == true }
        return index.map { self.ready.remove(at: $0) }
    }

    /// Takes back what was claimed together, with what became of each.
    mutating func settle(_ outcomes: [(id: Delivery.ID, outcome: Outcome)], now: Timestamp) {
        var touched: [LaneKey] = []
        var back: [LaneKey: [PendingDelivery]] = [:]
        for (id, outcome) in outcomes {
            guard let key = self.keys[id],
                let index = self.lanes[key]?.inFlight.firstIndex(where: { $0.id == id }),
                var delivery = self.lanes[key]?.inFlight.remove(at: index)
            else { continue }
            if touched.last != key { touched.append(key) }
            switch outcome {
            case .delivered, .dead, .held:
                self.keys[id] = nil
                continue
            case .retry(let due, _):
                delivery.attempts += 1
                delivery.due = due
            case .postponed(let due, _): delivery.due = due
            case .released: break
            }
            // It may wait for hours: its bytes are on disk.
            delivery.event = nil
            back[key, default: []].append(delivery)
        }
        for key in touched {
            if back[key] != nil { self.dropEvents(of: key) }
            for delivery in (back.removeValue(forKey: key) ?? []).reversed() {
                self.lanes[key]?.waiting.prepend(delivery)
            }
            guard let lane = self.lanes[key], lane.inFlight.isEmpty else { continue }
            guard lane.waiting.isEmpty else {
                self.schedule(key, now: now)
                continue
            }
            self.lanes[key] = nil
            // The outcomes of its last deliveries may take as long to be in the spool.
            if lane.isCut { self.park(key, until: now + Settler.delay) }
        }
    }

    // MARK: - Parking

    /// Makes room: leaves the lanes that wait longest to the spool.
    ///
    /// - `kept`: deliveries whose last outcome the spool does not know yet; their lanes stay.
    mutating func parkLatest(_ count: Int, but kept: Set<Delivery.ID>) {
        guard self.policy.order != .sink else { return }
        var passed: [Alarm] = []
        var freed = 0
        while freed < count, self.parked.count < self.limits.parked, let alarm = self.later.popMax() {
            let waiting = self.lanes[alarm.key]?.waiting ?? []
            guard !waiting.contains(where: { kept.contains($0.id) }) else {
                passed.append(alarm)
                continue
            }
            for delivery in waiting { self.forget(delivery) }
            freed += waiting.count
            self.lanes[alarm.key] = nil
            self.park(alarm.key, until: alarm.due)
        }
        self.later.insert(contentsOf: passed)
    }

    /// Parked lanes whose time has come, to be read from the spool and given to ``load(_:_:isCut:now:)``.
    mutating func lanesToLoad(now: Timestamp, limit: Int) -> [LaneKey] {
        var found: [LaneKey] = []
        while found.count < limit, let alarm = self.parkedLater.min, alarm.due <= now {
            found.append(self.parkedLater.removeMin().key)
        }
        return found
    }

    /// A lane is here again.
    ///
    /// - `isCut`: the spool has more of it.
    mutating func load(_ key: LaneKey, _ deliveries: [PendingDelivery], isCut: Bool, now: Timestamp) {
        guard self.parked.remove(key) != nil else { return }
        let isHastened = self.hastened.remove(key) != nil
        guard !deliveries.isEmpty else {
            if isCut { self.park(key, until: now + Settler.delay) }
            return
        }
        for var delivery in deliveries {
            if isHastened { delivery.due = min(delivery.due, now) }
            self.insert(delivery, key, now: now)
        }
        self.lanes[key]?.isCut = isCut
    }

    /// The receiver is back: what waits because it was not there need not wait any longer.
    mutating func hasten(now: Timestamp) {
        while let alarm = self.later.popMin() {
            self.lanes[alarm.key]?.waiting[0].due = now
            self.ready.append(alarm.key)
        }
        self.parkedLater = Heap(self.parkedLater.unordered.map { Alarm(due: min(now, $0.due), key: $0.key) })
        self.hastened = self.parked
    }

    /// It could not be read; it is wanted again then.
    mutating func park(_ key: LaneKey, until due: Timestamp) {
        self.parked.insert(key)
        self.parkedLater.insert(Alarm(due: due, key: key))
    }

    // MARK: - Changes from outside

    /// Drops what waits, to be read from the spool again; but not what is under way, nor `kept`, whose last outcome the
    /// spool does not know yet.
    mutating func forgetWaiting(but kept: Set<Delivery.ID>, now: Timestamp) {
        self.ready.removeAll()
        self.later = []
        self.parked = []
        self.parkedLater = []
        self.hastened = []
        for key in Array(self.lanes.keys) {
            for delivery in self.lanes[key]?.waiting ?? [] where !kept.contains(delivery.id) { self.forget(delivery) }
            self.lanes[key]?.waiting.removeAll { !kept.contains($0.id) }
            self.lanes[key]?.isCut = false
            if let lane = self.lanes[key], lane.waiting.isEmpty, lane.inFlight.isEmpty { self.lanes[key] = nil }
            self.schedule(key, now: now)
        }
    }

    /// The clock went back by that much: who waits for a time of the old clock would wait too long.
    mutating func clockWentBack(by jump: Duration) {
        func earlier(_ alarms: Heap<Alarm>) -> Heap<Alarm> {
            Heap(alarms.unordered.map { Alarm(due: $0.due - jump, key: $0.key) })
        }
        for alarm in self.later.unordered { self.lanes[alarm.key]?.waiting[0].due = alarm.due - jump }
        self.later = earlier(self.later)
        self.parkedLater = earlier(self.parkedLater)
    }

    private mutating func forget(_ delivery: PendingDelivery) {
        self.keys[delivery.id] = nil
        self.bytes -= delivery.size
    }

    /// Those behind one that failed may wait as long as it does; they are read again when their turn comes.
    private mutating func dropEvents(of key: LaneKey) {
        for index in self.lanes[key]?.waiting.indices ?? 0..<0 {
            self.bytes -= self.lanes[key]?.waiting[index].size ?? 0
            self.lanes[key]?.waiting[index].event = nil
        }
    }

    private mutating func schedule(_ key: LaneKey, now: Timestamp) {
        guard let lane = self.lanes[key], lane.inFlight.isEmpty, let first = lane.waiting.first else { return }
        if first.due <= now {
            self.ready.append(key)
        } else {
            self.later.insert(Alarm(due: first.due, key: key))
        }
    }

    private func key(of delivery: PendingDelivery) -> LaneKey {
        switch self.policy.order {
        case .sink: .sink
        case .none: .single(delivery.id)
        case .task: delivery.lane.map { .task($0) } ?? .single(delivery.id)
        }
    }
}
