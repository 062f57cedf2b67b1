import BellhopCore
import DequeModule
import HeapModule

/// The first deliveries of one sink that wait, in lanes: deliveries of one lane leave one after the other, lanes beside
/// each other. Decides what goes next; does nothing itself.
///
/// It holds a run of the spool's pending deliveries without gaps, so that a lane's first delivery here is its first of
/// all. Bounded: when it is full of deliveries that wait for another attempt, the rest stays in the spool.
struct DeliveryWindow {
    static let capacity = 10_000

    private struct Lane {
        var waiting: Deque<PendingDelivery> = []
        var inFlight: Deque<PendingDelivery> = []
    }

    private enum Key: Hashable {
        case task(Int64)
        case single(Delivery.ID)
        case sink
    }

    private struct Alarm: Comparable {
        let due: Timestamp
        let key: Key

        static func < (left: Alarm, right: Alarm) -> Bool { left.due < right.due }
    }

    private let policy: DispatchPolicy
    private var lanes: [Key: Lane] = [:]
    /// Lanes whose first delivery may go now.
    private var ready: Deque<Key> = []
    /// Lanes whose first delivery waits for its time.
    private var later: Heap<Alarm> = []
    private var keys: [Delivery.ID: Key] = [:]
    /// Of the events that wait here.
    private(set) var bytes = 0

    init(_ policy: DispatchPolicy) {
        self.policy = policy
    }

    var count: Int { self.keys.count }
    var isEmpty: Bool { self.keys.isEmpty }
    var readyLanes: Int { self.ready.count }
    var room: Int { DeliveryWindow.capacity - self.keys.count }
    /// When the next delivery that waits for its time may go.
    var nextDue: Timestamp? { self.later.min?.due }

    func contains(_ id: Delivery.ID) -> Bool { self.keys[id] != nil }

    mutating func append(_ delivery: PendingDelivery, now: Timestamp) {
        let key = self.key(of: delivery)
        self.keys[delivery.id] = key
        self.bytes += delivery.size
        let isFirst = self.lanes[key] == nil
        self.lanes[key, default: Lane()].waiting.append(delivery)
        if isFirst { self.schedule(key, now: now) }
    }

    /// Takes deliveries for one call of the sink: several of one lane only where a sink takes many in order.
    mutating func claim(now: Timestamp) -> [PendingDelivery] {
        while let alarm = self.later.min, alarm.due <= now {
            self.ready.append(self.later.removeMin().key)
        }
        var claimed: [PendingDelivery] = []
        while claimed.count < self.policy.batchLimit, let key = self.ready.popFirst() {
            guard self.lanes[key]?.inFlight.isEmpty == true else { continue }
            let count = min(self.policy.batchLimit - claimed.count, self.lanes[key]?.waiting.count ?? 0)
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

    /// Takes back what was claimed together, with what became of each.
    mutating func settle(_ outcomes: [(id: Delivery.ID, outcome: Outcome)], now: Timestamp) {
        var touched: [Key] = []
        var back: [Key: [PendingDelivery]] = [:]
        for (id, outcome) in outcomes {
            guard let key = self.keys[id],
                let index = self.lanes[key]?.inFlight.firstIndex(where: { $0.id == id }),
                var delivery = self.lanes[key]?.inFlight.remove(at: index)
            else { continue }
            if touched.last != key { touched.append(key) }
            switch outcome {
            case .delivered, .dead:
                self.keys[id] = nil
            case .retry(let due, _):
                delivery.attempts += 1
                delivery.due = due
                // It may wait for hours: its bytes are on disk.
                delivery.event = nil
                back[key, default: []].append(delivery)
            case .released:
                delivery.event = nil
                back[key, default: []].append(delivery)
            }
        }
        for key in touched {
            if back[key] != nil { self.dropEvents(of: key) }
            for delivery in (back.removeValue(forKey: key) ?? []).reversed() {
                self.lanes[key]?.waiting.prepend(delivery)
            }
            guard let lane = self.lanes[key], lane.inFlight.isEmpty else { continue }
            if lane.waiting.isEmpty { self.lanes[key] = nil } else { self.schedule(key, now: now) }
        }
    }

    /// Drops what waits, to be read from the spool again; but not what is under way, nor `kept`, whose last outcome the
    /// spool does not know yet.
    mutating func forgetWaiting(but kept: Set<Delivery.ID>, now: Timestamp) {
        self.ready.removeAll()
        self.later = []
        for key in Array(self.lanes.keys) {
            let forgotten = self.lanes[key]?.waiting.filter { !kept.contains($0.id) } ?? []
            for delivery in forgotten {
                self.keys[delivery.id] = nil
                self.bytes -= delivery.size
            }
            self.lanes[key]?.waiting.removeAll { !kept.contains($0.id) }
            if let lane = self.lanes[key], lane.waiting.isEmpty, lane.inFlight.isEmpty { self.lanes[key] = nil }
            self.schedule(key, now: now)
        }
    }

    /// Those behind one that failed may wait as long as it does; they are read again when their turn comes.
    private mutating func dropEvents(of key: Key) {
        for index in self.lanes[key]?.waiting.indices ?? 0..<0 {
            self.bytes -= self.lanes[key]?.waiting[index].size ?? 0
            self.lanes[key]?.waiting[index].event = nil
        }
    }

    private mutating func schedule(_ key: Key, now: Timestamp) {
        guard let lane = self.lanes[key], lane.inFlight.isEmpty, let first = lane.waiting.first else { return }
        if first.due <= now {
            self.ready.append(key)
        } else {
            self.later.insert(Alarm(due: first.due, key: key))
        }
    }

    private func key(of delivery: PendingDelivery) -> Key {
        switch self.policy.order {
        case .sink: .sink
        case .none: .single(delivery.id)
        case .task: delivery.lane.map { .task($0) } ?? .single(delivery.id)
        }
    }
}

extension PendingDelivery {
    /// Bytes of its event, where it is in memory.
    fileprivate var size: Int { (self.event?.data.count ?? 0) + (self.event?.normalized?.count ?? 0) }
}
