import BellhopCore
import BellhopSimulator
import BellhopTesting
import Testing

@testable import Bellhop

@Suite struct DeliveryWindowTests {
    private let now = Timestamp(seconds: 1000)

    private func delivery(_ id: Int64, lane: Int64?) -> PendingDelivery {
        PendingDelivery(id: id, rule: "r", lane: lane, accepted: self.now, event: .stub())
    }

    private func window(_ order: DispatchPolicy.Order, batch: Int = 1, _ lanes: [Int64?]) -> DeliveryWindow {
        var window = DeliveryWindow(DispatchPolicy(order: order, batchLimit: batch))
        for (index, lane) in lanes.enumerated() {
            window.append(self.delivery(Int64(index + 1), lane: lane), now: self.now)
        }
        return window
    }

    private func claimAll(_ window: inout DeliveryWindow) -> [Int64] {
        var ids: [Int64] = []
        while true {
            let claimed = window.claim(now: self.now)
            if claimed.isEmpty { return ids }
            ids += claimed.map(\.id)
        }
    }

    @Test func `of each task one delivery is under way, tasks beside each other`() {
        var window = self.window(.task, [7, 7, 8, nil, nil])
        #expect(self.claimAll(&window) == [1, 3, 4, 5])
        window.settle([(1, .delivered(answer: ""))], now: self.now)
        #expect(self.claimAll(&window) == [2])
    }

    @Test func `one that fails holds back its task until its time, and no other`() {
        var window = self.window(.task, [7, 7, 8])
        #expect(self.claimAll(&window) == [1, 3])
        window.settle([(1, .retry(at: self.now + .seconds(5), reason: ""))], now: self.now)
        window.settle([(3, .delivered(answer: ""))], now: self.now)
        #expect(self.claimAll(&window) == [])
        #expect(window.nextDue == self.now + .seconds(5))
        #expect(window.claim(now: self.now + .seconds(5)).map(\.id) == [1])
        window.settle([(1, .dead(reason: ""))], now: self.now)
        #expect(self.claimAll(&window) == [2])
    }

    @Test func `a sink in strict order has one lane`() {
        var window = self.window(.sink, [7, 8, nil])
        #expect(self.claimAll(&window) == [1])
    }

    @Test func `a sink that takes many in order gets a run, and what failed comes again in order`() {
        var window = self.window(.sink, batch: 3, [7, 8, nil, 9])
        #expect(window.claim(now: self.now).map(\.id) == [1, 2, 3])
        #expect(window.claim(now: self.now).isEmpty)
        let due = self.now + .seconds(1)
        window.settle(
            [(1, .delivered(answer: "")), (2, .retry(at: due, reason: "")), (3, .retry(at: due, reason: ""))],
            now: self.now
        )
        #expect(window.claim(now: self.now).isEmpty)
        #expect(window.claim(now: due).map(\.id) == [2, 3, 4])
    }

    @Test func `a released delivery goes again as if it had not been tried`() {
        var window = self.window(.none, [7, 7])
        #expect(self.claimAll(&window) == [1, 2])
        window.settle([(1, .released)], now: self.now)
        #expect(window.claim(now: self.now).map(\.attempts) == [0])
    }

    @Test func `forgetting leaves what is under way, and lets it be read again behind it`() {
        var window = self.window(.task, [7, 7, 8])
        #expect(window.claim(now: self.now).map(\.id) == [1])
        window.forgetWaiting(but: [], now: self.now)
        #expect(window.count == 1 && window.contains(1) && !window.contains(2))
        window.append(self.delivery(2, lane: 7), now: self.now)
        #expect(self.claimAll(&window) == [])
        window.settle([(1, .delivered(answer: ""))], now: self.now)
        #expect(self.claimAll(&window) == [2])
        window.settle([(2, .delivered(answer: ""))], now: self.now)
        #expect(window.isEmpty)
    }

    @Test func `forgetting keeps what the spool is behind with`() {
        var window = self.window(.task, [7, 7, 8])
        #expect(self.claimAll(&window) == [1, 3])
        window.settle([(1, .retry(at: self.now + .seconds(5), reason: ""))], now: self.now)
        window.forgetWaiting(but: [1], now: self.now)
        #expect(window.contains(1) && !window.contains(2))
        #expect(self.claimAll(&window) == [])
        #expect(window.claim(now: self.now + .seconds(5)).map(\.id) == [1])
    }

    @Test func `whatever fails in whatever order, every task keeps its order and nothing is lost`() {
        var random = SeededGenerator(seed: 3)
        var window = DeliveryWindow(DispatchPolicy(order: .task))
        for id in 1...2000 as ClosedRange<Int64> { window.append(self.delivery(id, lane: id % 37), now: self.now) }
        var time = self.now
        var underWay: [PendingDelivery] = []
        var done: [Int64] = []
        while !window.isEmpty {
            time = time + .milliseconds(50)
            while underWay.count < 16, let claimed = window.claim(now: time).first { underWay.append(claimed) }
            guard !underWay.isEmpty else { continue }
            let delivery = underWay.remove(at: Int.random(in: 0..<underWay.count, using: &random))
            if Int.random(in: 0..<3, using: &random) == 0 {
                window.settle(
                    [
                        (
                            delivery.id,
                            .retry(at: time + .milliseconds(Int64.random(in: 0...400, using: &random)), reason: "")
                        )
                    ],
                    now: time
                )
            } else {
                window.settle([(delivery.id, .delivered(answer: ""))], now: time)
                done.append(delivery.id)
            }
        }
        #expect(done.count == 2000 && Set(done).count == 2000)
        for lane in 0..<37 {
            let ofLane = done.filter { $0 % 37 == Int64(lane) }
            #expect(ofLane == ofLane.sorted())
        }
    }

    // MARK: - Parking

    private let tight = DeliveryWindow.Limits(deliveries: 8, perLane: 3, parked: 1000)

    @Test func `of a long lane only the start is in memory, and the rest follows in order`() {
        var window = DeliveryWindow(DispatchPolicy(), limits: self.tight)
        for id in 1...7 as ClosedRange<Int64> { window.append(self.delivery(id, lane: 7), now: self.now) }
        window.append(self.delivery(8, lane: 8), now: self.now)
        #expect(window.count == 4)
        for id in 1...3 as ClosedRange<Int64> {
            #expect(window.claim(now: self.now).map(\.id) == (id == 1 ? [1] : [id]))
            window.settle([(id, .delivered(answer: ""))], now: self.now)
            if id == 1 {
                #expect(window.claim(now: self.now).map(\.id) == [8])
                window.settle([(8, .delivered(answer: ""))], now: self.now)
            }
        }
        let later = self.now + .seconds(1)
        #expect(!window.isEmpty && window.claim(now: later).isEmpty)
        #expect(window.lanesToLoad(now: later, limit: 9) == [.task(7)])
        window.load(.task(7), [4, 5].map { self.delivery($0, lane: 7) }, isCut: true, now: later)
        #expect(window.claim(now: later).map(\.id) == [4])
    }

    @Test func `lanes that wait longest make room, and come back when it is their time`() {
        var window = DeliveryWindow(DispatchPolicy(), limits: self.tight)
        for id in 1...8 as ClosedRange<Int64> { window.append(self.delivery(id, lane: id), now: self.now) }
        for _ in 1...8 {
            let id = window.claim(now: self.now)[0].id
            window.settle([(id, .retry(at: self.now + .seconds(id), reason: ""))], now: self.now)
        }
        #expect(window.room == 0)
        // The spool does not know yet that 8 has failed.
        window.parkLatest(2, but: [8])
        #expect(window.room == 2 && window.parkedCount == 2 && window.contains(8) && !window.contains(7))
        window.append(self.delivery(20, lane: 7), now: self.now)
        #expect(!window.contains(20), "a lane that is parked stays whole in the spool")
        #expect(window.nextLoad == self.now + .seconds(6))
        #expect(window.lanesToLoad(now: self.now + .seconds(6), limit: 9) == [.task(6)])
        #expect(window.lanesToLoad(now: self.now + .seconds(6), limit: 9) == [])
        window.park(.task(6), until: self.now + .seconds(9))
        #expect(window.lanesToLoad(now: self.now + .seconds(9), limit: 9) == [.task(7), .task(6)])
        window.load(.task(6), [], isCut: false, now: self.now)
        window.load(.task(7), [self.delivery(7, lane: 7), self.delivery(20, lane: 7)], isCut: false, now: self.now)
        #expect(window.parkedCount == 0 && window.contains(20))
    }

    @Test func `a receiver that is back gets at once what waited for it, also what is parked`() {
        var window = DeliveryWindow(DispatchPolicy(), limits: self.tight)
        let later = self.now + .seconds(600)
        for id in 1...3 as ClosedRange<Int64> { window.append(self.delivery(id, lane: id), now: self.now) }
        for _ in 1...3 {
            window.settle([(window.claim(now: self.now)[0].id, .retry(at: later, reason: ""))], now: self.now)
        }
        window.parkLatest(1, but: [])
        window.hasten(now: self.now)
        #expect(self.claimAll(&window).count == 2)
        let key = window.lanesToLoad(now: self.now, limit: 9)[0]
        var delivery = self.delivery(9, lane: 9)
        delivery.due = later
        window.load(key, [delivery], isCut: false, now: self.now)
        #expect(window.claim(now: self.now).map(\.id) == [9])
    }

    @Test func `after the clock went back nobody waits longer than before`() {
        var window = self.window(.task, [7, 8])
        let day: Duration = .seconds(86_400)
        #expect(window.claim(now: self.now + day).map(\.id) == [1])
        window.settle([(1, .retry(at: self.now + day + .seconds(5), reason: ""))], now: self.now + day)
        window.clockWentBack(by: day)
        #expect(window.nextDue == self.now + .seconds(5))
        #expect(self.claimAll(&window) == [2])
        #expect(window.claim(now: self.now + .seconds(5)).map(\.id) == [1])
    }

    /// The window with tight limits, and beside it the spool as a list: what is parked is read from there.
    @Test(arguments: 1...20 as ClosedRange<UInt64>)
    func `however little memory there is, every task keeps its order and nothing is lost`(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var window = DeliveryWindow(DispatchPolicy(order: .task), limits: self.tight)
        let total: Int64 = 400
        var pending = (1...total).map { id in
            self.delivery(id, lane: id % 5 == 0 ? nil : Int64.random(in: 0..<30, using: &random))
        }
        let laneOf = Dictionary(uniqueKeysWithValues: pending.map { ($0.id, $0.lane) })
        var cursor: Int64 = 0
        var time = self.now
        var underWay: [PendingDelivery] = []
        var done: [Int64] = []
        var steps = 0
        while done.count < Int(total), steps < 100_000 {
            steps += 1
            time = time + .milliseconds(20)
            // Reading, as the dispatcher does.
            if window.room < 3 { window.parkLatest(2, but: Set(underWay.map(\.id))) }
            for key in window.room > 0 ? window.lanesToLoad(now: time, limit: 1) : [] {
                let lane = pending.filter { delivery in
                    switch key {
                    case .task(let lane): delivery.lane == lane && delivery.id <= cursor
                    case .single(let id): delivery.id == id
                    case .sink: false
                    }
                }
                window.load(key, Array(lane.prefix(2)), isCut: lane.count >= 2, now: time)
            }
            if window.room > 0, let next = pending.first(where: { $0.id > cursor }) {
                window.append(next, now: time)
                cursor = next.id
            }
            while underWay.count < 3, let claimed = window.claim(now: time).first { underWay.append(claimed) }
            guard !underWay.isEmpty else { continue }
            let delivery = underWay.remove(at: Int.random(in: 0..<underWay.count, using: &random))
            if Int.random(in: 0..<3, using: &random) > 0 {
                let due = time + .milliseconds(Int64.random(in: 0...2000, using: &random))
                if let index = pending.firstIndex(where: { $0.id == delivery.id }) {
                    pending[index].due = due
                    pending[index].attempts += 1
                }
                window.settle([(delivery.id, .retry(at: due, reason: ""))], now: time)
            } else {
                pending.removeAll { $0.id == delivery.id }
                done.append(delivery.id)
                window.settle([(delivery.id, .delivered(answer: ""))], now: time)
            }
            #expect(window.count <= self.tight.deliveries + 2)
        }
        #expect(Set(done).count == Int(total) && done.count == Int(total))
        for lane in 0..<30 {
            let ofLane = done.filter { laneOf[$0] == Int64(lane) }
            #expect(ofLane == ofLane.sorted())
        }
    }
}
