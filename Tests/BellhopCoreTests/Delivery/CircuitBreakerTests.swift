import BellhopCore
import Testing

@Suite struct CircuitBreakerTests {
    private let start = Timestamp(seconds: 1000)
    private let down = Verdict.failure(.unreachable(reason: "down"))
    private let refused = Verdict.failure(.transient(reason: "500"))

    private func breaker(_ failures: Int = 3) -> CircuitBreaker {
        CircuitBreaker(CircuitBreaker.Policy(failures: failures, probeEvery: .seconds(4)))
    }

    @discardableResult
    private func note(
        _ breaker: inout CircuitBreaker,
        _ verdict: Verdict,
        of id: Int64 = 1,
        attempt: Int = 1,
        after: Duration = .zero
    ) -> CircuitBreaker.Change? {
        breaker.note(verdict, of: id, attempt: attempt, now: self.start + after, jitter: 1)
    }

    @Test func `it opens after so many failures in a row, and not before`() {
        var breaker = self.breaker()
        #expect(self.note(&breaker, self.down) == nil)
        #expect(self.note(&breaker, self.down) == nil)
        #expect(self.note(&breaker, .success("")) == nil)
        #expect(self.note(&breaker, self.down) == nil)
        #expect(self.note(&breaker, self.down) == nil)
        #expect(breaker.admission(now: self.start) == .yes)
        #expect(self.note(&breaker, self.down) == .opened(reason: "down"))
        #expect(breaker.admission(now: self.start) == .notBefore(self.start + .seconds(1)))
        #expect(breaker.isOpen && breaker.reason == "down")
    }

    @Test func `one probe at a time, ever rarer, closes it`() {
        var breaker = self.breaker()
        for _ in 0..<3 { self.note(&breaker, self.down) }
        var now = self.start
        for wait in [1, 2, 4, 4] {
            #expect(breaker.admission(now: now) == .notBefore(now + .seconds(wait)))
            now = now + .seconds(wait)
            #expect(breaker.admission(now: now) == .probe)
            breaker.probe(with: 7)
            #expect(breaker.admission(now: now) == .no)
            #expect(breaker.note(self.down, of: 7, attempt: 9, now: now, jitter: 1) == nil)
        }
        breaker.probe(with: 8)
        #expect(breaker.note(.success(""), of: 8, attempt: 1, now: now, jitter: 1) == .closed)
        #expect(breaker.admission(now: now) == .yes && breaker.reason == nil)
    }

    @Test func `what began before it opened does not move the next probe`() {
        var breaker = self.breaker()
        for _ in 0..<9 { self.note(&breaker, self.down) }
        #expect(breaker.admission(now: self.start) == .notBefore(self.start + .seconds(1)))
        #expect(self.note(&breaker, .success("")) == .closed)
    }

    @Test func `refusals of what was refused before are no sign of a receiver that is down`() {
        var breaker = self.breaker()
        for _ in 0..<99 { self.note(&breaker, self.refused, attempt: 2) }
        #expect(breaker.admission(now: self.start) == .yes)
        for _ in 0..<3 { self.note(&breaker, self.refused, attempt: 1) }
        #expect(breaker.isOpen)
    }

    @Test func `an answer of any kind means that the receiver is there`() {
        for verdict in [Verdict.failure(.permanent(reason: "404")), .failure(.throttled(reason: "429")), .success("")] {
            var breaker = self.breaker()
            for _ in 0..<3 { self.note(&breaker, self.down) }
            breaker.probe(with: 1)
            #expect(self.note(&breaker, verdict, after: .seconds(1)) == .closed)
        }
    }

    @Test(arguments: [DeliveryError.cancelled, .unsendable(reason: "too long")])
    func `a probe that did not reach the receiver is made again`(error: DeliveryError) {
        var breaker = self.breaker()
        for _ in 0..<3 { self.note(&breaker, self.down) }
        breaker.probe(with: 1)
        #expect(self.note(&breaker, .failure(error), after: .seconds(1)) == nil)
        #expect(breaker.admission(now: self.start + .seconds(1)) == .probe)
    }

    @Test func `gone is gone until somebody has looked at it`() {
        var breaker = self.breaker()
        #expect(self.note(&breaker, .failure(.gone(reason: "410"))) == .disabled(reason: "410"))
        #expect(self.note(&breaker, .failure(.gone(reason: "410"))) == nil)
        #expect(self.note(&breaker, .success("")) == nil)
        #expect(breaker.admission(now: .distantFuture) == .no && breaker.isDisabled && !breaker.isOpen)
        breaker.reset()
        #expect(breaker.admission(now: self.start) == .yes)
    }

    @Test func `without a policy, or with none to count, it never opens`() {
        for var breaker in [CircuitBreaker(nil), self.breaker(0)] {
            for _ in 0..<99 { #expect(self.note(&breaker, self.down) == nil) }
            #expect(breaker.admission(now: self.start) == .yes)
        }
    }

    @Test func `a clock that goes back does not keep it open`() {
        var breaker = self.breaker()
        for _ in 0..<3 { self.note(&breaker, self.down) }
        #expect(breaker.admission(now: self.start - .seconds(86_400)) == .probe)
    }
}
