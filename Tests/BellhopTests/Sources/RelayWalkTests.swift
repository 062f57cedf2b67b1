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
        let step = walk.receive(times: self.times(9000, 8000, 7000, 5500), count: 4, now: self.now)
        #expect(self.oldest(step) == (self.now - .seconds(6)).formatted(.seconds))
        // On a whole second the second before, or an exclusive server would skip events of that very time.
        var other = self.walk()
        _ = other.startSweep()
        let exact = other.receive(times: self.times(9000, 8000, 7000, 5000), count: 4, now: self.now)
        #expect(self.oldest(exact) == (self.now - .seconds(6)).formatted(.seconds))
    }

    @Test func `a full page within one second goes on in microseconds`() {
        var walk = self.walk()
        _ = walk.startSweep()
        _ = walk.receive(times: self.times(9000, 8000, 7000, 5900), count: 4, now: self.now)
        let step = walk.receive(times: self.times(5900, 5800, 5700, 5600), count: 4, now: self.now)
        #expect(self.oldest(step) == (self.now - .milliseconds(5600) - .microseconds(1)).formatted(.microseconds))
        #expect(walk.takeLossReports() == [])
    }

    @Test func `a full page of one time is reported once, and stepped over by as little as possible`() {
        var walk = self.walk()
        _ = walk.startSweep()
        let same = self.times(5600, 5600, 5600, 5600)
        var step = walk.receive(times: self.times(9000, 8000, 7000, 5600), count: 4, now: self.now)
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
        _ = walk.receive(times: self.times(9000, 8000, 7000, 5900), count: 4, now: self.now)
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
        #expect(walk.covered == self.now)
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
