import BellhopCore
import Testing

@Suite struct RetryPolicyTests {
    private let policy = RetryPolicy(base: .seconds(1), cap: .seconds(600), giveUpAfter: .seconds(3600))
    private let start = Timestamp(seconds: 1000)

    private func outcome(_ verdict: Verdict, attempt: Int = 1, age: Duration = .zero, jitter: Double = 1) -> Outcome {
        self.policy.outcome(of: verdict, attempt: attempt, accepted: self.start, now: self.start + age, jitter: jitter)
    }

    @Test func `the ceiling doubles up to the cap, and the jitter is full`() {
        for (attempt, seconds) in [(1, 1), (2, 2), (3, 4), (10, 512), (11, 600), (1000, 600)] {
            #expect(self.policy.delay(afterAttempt: attempt, jitter: 1) == .seconds(seconds))
        }
        #expect(self.policy.delay(afterAttempt: 5, jitter: 0) == .zero)
        #expect(self.policy.delay(afterAttempt: 3, jitter: 0.5) == .seconds(2))
    }

    @Test func `each verdict has its outcome`() {
        #expect(self.outcome(.success("HTTP 200")) == .delivered(answer: "HTTP 200"))
        #expect(self.outcome(.failure(.permanent(reason: "404"))) == .dead(reason: "404"))
        #expect(self.outcome(.failure(.cancelled)) == .released)
        #expect(
            self.outcome(.failure(.transient(reason: "503"))) == .retry(at: self.start + .seconds(1), reason: "503")
        )
    }

    @Test func `what the receiver asks for is a minimum`() {
        let verdict = Verdict.failure(.transient(reason: "429", after: .seconds(30)))
        #expect(self.outcome(verdict, jitter: 0) == .retry(at: self.start + .seconds(30), reason: "429"))
        #expect(self.outcome(verdict, attempt: 9, jitter: 1) == .retry(at: self.start + .seconds(31), reason: "429"))
    }

    @Test func `too old is given up, with the last reason`() {
        guard
            case .dead(let reason) = self.outcome(.failure(.transient(reason: "503")), attempt: 7, age: .seconds(3600))
        else {
            Issue.record("not given up")
            return
        }
        #expect(reason.contains("503") && reason.contains("7 attempts"))
    }
}
