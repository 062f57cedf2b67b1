import BellhopCore
import Testing

@testable import Bellhop

@Suite struct RelayWalkTests {
    private let now = Timestamp(seconds: 1_700_000_000)

    private func walk(limit: Int = 4, covered: Timestamp? = nil, overlap: Duration = .seconds(60)) -> RelayWalk {
        let checkpoint = covered.map {
            Checkpoint(position: RelayPosition(covered: $0, origin: $0 - .seconds(86_400)).text, horizon: $0)
        }
        let settings = RelayWalk.Settings(overlap: overlap, startFrom: .seconds(3600), limit: limit)
        return RelayWalk(settings, from: checkpoint, now: self.now)
    }

    /// Times so many milliseconds before now.
    private func times(_ before: Int64...) -> [Timestamp] { before.map { self.now - .milliseconds($0) } }

    private func oldest(_ step: RelayWalk.Step) -> String? {
        if case .ask(let request) = step { request.oldest } else { nil }
    }

    /// A sweep's first full page, with the probe answered as most servers do.
    private func full(_ walk: inout RelayWalk, _ times: [Timestamp]) -> RelayWalk.Step {
        let step = walk.receive(times: times, count: 4, now: self.now)
        guard case .ask(let request) = step, request.isProbe else { return step }
        return walk.receiveProbe([times.min() ?? self.now], now: self.now)
    }

    @Test func `the first run begins start_from ago, in whole seconds`() {
        var walk = self.walk()
        #expect(walk.startSweep().oldest == (self.now - .seconds(3600)).formatted(.seconds))
    }

    @Test func `later runs begin an overlap before the checkpoint, never before the origin`() throws {
        var walk = self.walk(covered: self.now - .seconds(100))
        #expect(walk.startSweep().oldest == (self.now - .seconds(160)).formatted(.seconds))
        let position = RelayPosition(covered: self.now - .seconds(100), origin: self.now - .seconds(110))
        var young = RelayWalk(
            .init(overlap: .seconds(60)),
            from: Checkpoint(position: position.text, horizon: self.now),
            now: self.now
        )
        #expect(young.startSweep().oldest == (self.now - .seconds(110)).formatted(.seconds))
    }

    @Test func `a page that is not full ends the sweep and moves the checkpoint`() {
        var walk = self.walk()
        _ = walk.startSweep()
        #expect(walk.receive(times: self.times(9000, 5500), count: 2, now: self.now) == .done)
        #expect(walk.covered == self.now - .milliseconds(5500))
        #expect(walk.checkpoint.horizon == (self.now - .milliseconds(65_500)).flooredToSecond)
    }

    @Test func `a full page goes on from just before its newest event`() {
        var walk = self.walk()
        _ = walk.startSweep()
        let step = self.full(&walk, self.times(9000, 8000, 7000, 5500))
        #expect(self.oldest(step) == (self.now - .seconds(6)).formatted(.seconds))
        // On a whole second the second before, or an exclusive server would skip events of that very time.
        var other = self.walk()
        _ = other.startSweep()
        let exact = self.full(&other, self.times(9000, 8000, 7000, 5000))
        #expect(self.oldest(exact) == (self.now - .seconds(6)).formatted(.seconds))
    }

    @Test func `a full page within one second goes on in microseconds`() {
        var walk = self.walk()
        _ = walk.startSweep()
        _ = self.full(&walk, self.times(9000, 8000, 7000, 5900))
        let step = walk.receive(times: self.times(5900, 5800, 5700, 5600), count: 4, now: self.now)
        #expect(self.oldest(step) == (self.now - .milliseconds(5600) - .microseconds(1)).formatted(.microseconds))
        #expect(walk.takeLossReports() == [])
    }

    @Test func `a full page of one time is reported once, and stepped over by as little as possible`() {
        var walk = self.walk()
        _ = walk.startSweep()
        let same = self.times(5600, 5600, 5600, 5600)
        var step = self.full(&walk, self.times(9000, 8000, 7000, 5600))
        step = walk.receive(times: same, count: 4, now: self.now)
        #expect(self.oldest(step) == (self.now - .milliseconds(5600) - .microseconds(1)).formatted(.microseconds))
        step = walk.receive(times: same, count: 4, now: self.now)
        // Enough for a server that takes 'oldest' as exclusive …
        #expect(self.oldest(step) == (self.now - .milliseconds(5600)).formatted(.microseconds))
        #expect(walk.takeLossReports().count == 1)
        step = walk.receive(times: same, count: 4, now: self.now)
        // … and for one that takes it as inclusive.
        #expect(self.oldest(step) == (self.now - .milliseconds(5600) + .microseconds(1)).formatted(.microseconds))
        #expect(walk.takeLossReports() == [])
    }

    @Test func `where fractions are refused the walk steps a second and says what it may have missed`() {
        var walk = self.walk()
        _ = walk.startSweep()
        _ = self.full(&walk, self.times(9000, 8000, 7000, 5900))
        _ = walk.receive(times: self.times(5900, 5800, 5700, 5600), count: 4, now: self.now)
        #expect(self.oldest(walk.fractionRefused()) == (self.now - .seconds(5)).formatted(.seconds))
        #expect(walk.takeLossReports().count == 1)
    }

    @Test func `a probe tells pages that are only turned round from newest first`() {
        let page = self.times(5500, 7000, 8000, 9000)
        var turned = self.walk()
        _ = turned.startSweep()
        guard case .ask(let probe) = turned.receive(times: page, count: 4, now: self.now) else {
            Issue.record("no probe")
            return
        }
        #expect(probe.isProbe && probe.limit == 1)
        #expect(
            self.oldest(turned.receiveProbe(self.times(9000), now: self.now))
                == (self.now - .seconds(6)).formatted(.seconds)
        )
        #expect(turned.takeLossReports() == [])

        var newest = self.walk()
        _ = newest.startSweep()
        _ = newest.receive(times: page, count: 4, now: self.now)
        #expect(newest.receiveProbe(self.times(5500), now: self.now) == .done)
        #expect(newest.takeLossReports().count == 1)
        #expect(newest.wantsShortInterval)
    }

    @Test func `newest first loses nothing where the page reaches back to what is known`() {
        var walk = self.walk(covered: self.now - .milliseconds(8500))
        _ = walk.startSweep()
        _ = walk.receive(times: self.times(5500, 7000, 8000, 9000), count: 4, now: self.now)
        #expect(walk.receiveProbe(self.times(5500), now: self.now) == .done)
        #expect(walk.takeLossReports() == [])
    }

    @Test func `an event from the future does not move the checkpoint past now`() {
        var walk = self.walk()
        _ = walk.startSweep()
        _ = walk.receive(times: self.times(9000) + [Timestamp(seconds: 4_070_908_800)], count: 2, now: self.now)
        #expect(walk.covered == self.now - .seconds(9))
    }

    @Test func `a full page with events from the future goes on from the present`() {
        var walk = self.walk()
        _ = walk.startSweep()
        let future = Timestamp(seconds: 4_070_908_800)
        let step = self.full(&walk, self.times(9000, 8000, 7500) + [future])
        #expect(self.oldest(step) == (self.now - .seconds(8)).formatted(.seconds))
        #expect(walk.covered == self.now - .milliseconds(7500))
    }

    @Test
    func `a server that does not understand a fraction, or takes no notice of oldest, does not make the walk spin`() {
        var walk = self.walk()
        _ = walk.startSweep()
        _ = self.full(&walk, self.times(9000, 8000, 7000, 5900))
        _ = walk.receive(times: self.times(5900, 5800, 5700, 5600), count: 4, now: self.now)
        let old = self.times(900_000, 800_000, 700_000, 600_000)
        #expect(
            self.oldest(walk.receive(times: old, count: 4, now: self.now))
                == (self.now - .seconds(5)).formatted(.seconds)
        )
        #expect(walk.receive(times: old, count: 4, now: self.now) == .done)
        #expect(walk.takeLossReports().count == 2)
    }

    @Test func `pages that a server keeps small are walked too, also within a second`() {
        var walk = self.walk(limit: 100)
        _ = walk.startSweep()
        let page = (0..<20).map { self.now - .milliseconds(5900 - $0 * 10) }
        _ = walk.receive(times: page, count: 20, now: self.now)
        let step = walk.receive(times: page.map { $0 + .milliseconds(190) }, count: 20, now: self.now)
        #expect(self.oldest(step) == (self.now - .milliseconds(5520) - .microseconds(1)).formatted(.microseconds))
        #expect(walk.receive(times: page, count: 12, now: self.now) == .done)
        #expect(walk.takeLossReports() == [])
    }

    @Test func `newest first in ascending order is found out too, and a probe without a time does not stop the walk`() {
        var newest = self.walk()
        _ = newest.startSweep()
        _ = newest.receive(times: self.times(9000, 8000, 7000, 5500), count: 4, now: self.now)
        #expect(newest.receiveProbe(self.times(5500), now: self.now) == .done)
        #expect(newest.takeLossReports().count == 1)
        var silent = self.walk()
        _ = silent.startSweep()
        _ = silent.receive(times: self.times(9000, 8000, 7000, 5500), count: 4, now: self.now)
        #expect(self.oldest(silent.receiveProbe([], now: self.now)) == (self.now - .seconds(6)).formatted(.seconds))
    }

    @Test func `two losses in one overlap are each told once, not in turns for ever`() {
        var walk = self.walk()
        for sweep in 0..<3 {
            _ = walk.startSweep()
            for before: Int64 in [9500, 7500] {
                let same = Array(repeating: self.now - .milliseconds(before), count: 4)
                var step =
                    sweep == 0 && before == 9500
                    ? self.full(&walk, same) : walk.receive(times: same, count: 4, now: self.now)
                while case .ask = step, self.oldest(step).flatMap({ Timestamp($0) }) ?? self.now <= same[0] {
                    step = walk.receive(times: same, count: 4, now: self.now)
                }
            }
            #expect(walk.takeLossReports().count == (sweep == 0 ? 2 : 0))
        }
    }

    @Test func `a checkpoint of an idle source keeps where the first run began`() throws {
        var walk = self.walk()
        _ = walk.startSweep()
        #expect(walk.receive(times: [], count: 0, now: self.now) == .done)
        var later = RelayWalk(.init(overlap: .seconds(60)), from: walk.checkpoint, now: self.now + .seconds(500))
        #expect(later.startSweep().oldest == (self.now - .seconds(3600)).formatted(.seconds))
    }

    @Test(arguments: ["", "covered=x origin=y", "junk", "covered=2024-08-08T18:25:40Z"])
    func `a checkpoint nobody can read is no checkpoint`(text: String) {
        #expect(RelayPosition(text) == nil)
    }
}
