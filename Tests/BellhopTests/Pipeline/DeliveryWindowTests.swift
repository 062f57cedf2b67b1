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
}
