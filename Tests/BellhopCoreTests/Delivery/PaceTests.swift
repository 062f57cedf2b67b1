import BellhopCore
import Testing

@Suite struct PaceTests {
    private let start = Timestamp(seconds: 1000)

    @Test(arguments: [
        ("1/s", 1, 1000), ("30/m", 30, 60_000), ("1000/h", 1000, 3_600_000), ("5/10s", 5, 10_000), ("2/500ms", 2, 500),
    ]) func `rates are read`(text: String, count: Int, milliseconds: Int) throws {
        let rate = try #require(Rate(text))
        #expect(rate == Rate(count, per: .milliseconds(milliseconds)))
        #expect(Rate(rate.description) == rate)
    }

    @Test(arguments: ["", "1", "1/", "/s", "0/s", "-1/s", "1/x", "1/s/s", "1.5/s", "1/0s", "9999999/s", "1/2d", "s/1"])
    func `and nothing else`(text: String) { #expect(Rate(text) == nil) }

    @Test func `after a quiet time as many as the rate says go at once, then one by one`() {
        var limiter = RateLimiter(Rate(5, per: .seconds(10)))
        for _ in 0..<5 {
            #expect(limiter.next(now: self.start) == nil)
            limiter.take(now: self.start)
        }
        #expect(limiter.next(now: self.start) == self.start + .seconds(2))
        limiter.take(now: self.start + .seconds(2))
        #expect(limiter.next(now: self.start + .seconds(3)) == self.start + .seconds(4))
        #expect(limiter.next(now: self.start + .seconds(60)) == nil)
    }

    @Test func `over a long time the rate is kept exactly`() {
        var limiter = RateLimiter(Rate(7, per: .seconds(1)))
        var now = self.start
        var count = 0
        while now < self.start + .seconds(100) {
            if let next = limiter.next(now: now) { now = next; continue }
            limiter.take(now: now)
            count += 1
        }
        #expect((700...707).contains(count))
    }

    @Test func `a clock that goes back holds nobody longer than a period`() {
        var limiter = RateLimiter(Rate(1, per: .seconds(10)))
        limiter.take(now: self.start)
        let earlier = self.start - .seconds(86_400)
        #expect(limiter.next(now: earlier) == nil)
        limiter.take(now: earlier)
        #expect(limiter.next(now: earlier) == earlier + .seconds(10))
    }

    private func throttled(_ after: Duration? = nil) -> Verdict { .failure(.throttled(reason: "429", after: after)) }

    @Test func `a host gets the pause it asks for, and then one attempt at a time until one gets through`() {
        var pause = HostPause()
        pause.begin()
        pause.begin()
        #expect(pause.end(self.throttled(.seconds(30)), now: self.start, jitter: 0) == .seconds(30))
        #expect(pause.next(now: self.start) == self.start + .seconds(30))
        // What was under way when it began says nothing about its end.
        #expect(pause.end(.success(""), now: self.start, jitter: 0) == nil)
        // A shorter wish does not end a longer pause, a longer one makes it longer.
        #expect(pause.end(self.throttled(.seconds(3)), now: self.start, jitter: 0) == nil)
        let later = self.start + .seconds(30)
        #expect(pause.next(now: later) == nil)
        pause.begin()
        #expect(pause.next(now: later) != nil)
        #expect(pause.end(.success(""), now: later, jitter: 0) == nil)
        pause.begin()
        #expect(pause.next(now: later) == nil)
    }

    @Test func `without a time the pauses grow, up to a minute, and begin anew after a success`() {
        var pause = HostPause()
        var now = self.start
        for seconds in [1, 2, 4, 8, 16, 32, 60, 60] {
            pause.begin()
            #expect(pause.end(self.throttled(), now: now, jitter: 1) == .seconds(seconds))
            now = now + .seconds(seconds)
        }
        pause.begin()
        _ = pause.end(.success(""), now: now, jitter: 1)
        pause.begin()
        #expect(pause.end(self.throttled(), now: now, jitter: 1) == .seconds(1))
    }

    @Test func `Retry-After counts with 503 too, a failure without it does not, and nobody waits for ever`() {
        var pause = HostPause()
        #expect(pause.end(.failure(.unreachable(reason: "")), now: self.start, jitter: 0) == nil)
        #expect(pause.end(.failure(.transient(reason: "500")), now: self.start, jitter: 0) == nil)
        let asked = Verdict.failure(.transient(reason: "503", after: .seconds(9)))
        #expect(pause.end(asked, now: self.start, jitter: 0) == .seconds(9))
        let forever = self.throttled(.seconds(1_000_000_000))
        _ = pause.end(forever, now: self.start, jitter: 0)
        #expect(pause.next(now: self.start) == self.start + RetryPolicy.longestRetryAfter)
        #expect(pause.next(now: self.start - .seconds(5)) == nil, "the clock went back")
    }
}
