import Bellhop
import BellhopCore

/// What every spool must do, as checks that return what is wrong: run over each implementation.
package struct SpoolContract {
    private let spool: any Spool
    private let now = Timestamp(seconds: 1_723_141_540)

    package init(_ spool: any Spool) {
        self.spool = spool
    }

    /// Runs everything; an empty list is a pass.
    package func violations() async throws -> [String] {
        var found: [String] = []
        func check(_ isTrue: Bool, _ sentence: String) { if !isTrue { found.append(sentence) } }
        let toOne = [Route(rule: "r", sink: "s")]
        let toTwo = toOne + [Route(rule: "r", sink: "t")]

        check(try await self.spool.checkpoint(of: "relay") == nil, "a new source has no checkpoint")
        let first = Checkpoint(position: "p1", horizon: self.now)
        let batch = self.batch(["a", "b", "a"], first, rejected: ["x"])
        let appended = try await self.spool.append(batch, routes: [toTwo, toOne, toTwo], now: self.now)
        check(appended.receipt == Receipt(new: 2, known: 1), "an id twice in one batch is one event")
        check(appended.rejected == 1, "rejected events are kept")
        check(
            appended.deliveries["s"]?.map(\.id).count == 2 && appended.deliveries["t"]?.count == 1,
            "one delivery per route"
        )
        check(try await self.spool.checkpoint(of: "relay") == first, "the checkpoint is committed with its batch")

        let again = try await self.spool.append(
            self.batch(["b", "c"], nil, rejected: ["x"]),
            routes: [toOne, toOne],
            now: self.now
        )
        check(again.receipt == Receipt(new: 1, known: 1), "known events are skipped in later batches")
        check(again.rejected == 0, "what was rejected is not kept twice")
        check(try await self.spool.checkpoint(of: "relay") == first, "a batch without a checkpoint leaves it alone")
        let other = Batch(source: "other", events: [.stub(id: "a", source: "other")], checkpoint: nil)
        check(
            try await self.spool.append(other, routes: [toOne], now: self.now).receipt.new == 1,
            "ids are unique per source"
        )

        let pending = try await self.spool.pending(sink: "s", after: 0, limit: 10, byteLimit: .max)
        check(pending.map(\.id) == pending.map(\.id).sorted() && pending.count == 4, "pending deliveries come in order")
        check(
            pending.first?.event?.id == "a" && pending.first?.event?.data == Event.stub(id: "a").data,
            "events come back byte for byte"
        )
        check(
            pending.first?.lane != nil && pending.first?.lane != pending.last?.lane,
            "lanes tell tasks apart, also between sources"
        )
        let rest = try await self.spool.pending(sink: "s", after: pending[1].id, limit: 1, byteLimit: .max)
        check(rest.map(\.id) == [pending[2].id], "the cursor and the limit hold")

        let retryAt = self.now + .seconds(9)
        try await self.spool.settle(
            [
                Settlement(id: pending[0].id, attempt: 1, outcome: .delivered(answer: "HTTP 200"), at: self.now),
                Settlement(id: pending[1].id, attempt: 1, outcome: .retry(at: retryAt, reason: "503"), at: self.now),
                Settlement(id: pending[2].id, attempt: 1, outcome: .dead(reason: "404"), at: self.now),
                Settlement(id: pending[3].id, attempt: 1, outcome: .released, at: self.now),
            ],
            now: self.now
        )
        let left = try await self.spool.pending(sink: "s", after: 0, limit: 10, byteLimit: .max)
        check(
            left.map(\.id) == [pending[1].id, pending[3].id],
            "delivered and dead ones are not pending, retries and released ones are"
        )
        check(left.first?.attempts == 1 && left.first?.due == retryAt, "a retry keeps its count and its time")
        check(left.last?.attempts == 0, "a released attempt does not count")
        check(try await self.spool.pendingSinks() == ["s": 2, "t": 1], "pending deliveries are counted by sink")
        check(
            try await self.spool.events(of: [pending[1].id])[pending[1].id]?.id == "b",
            "events are found by delivery"
        )
        try await self.checkLanes(&found)
        try await self.checkPruning(&found)
        return found
    }

    private func checkLanes(_ found: inout [String]) async throws {
        func check(_ isTrue: Bool, _ sentence: String) { if !isTrue { found.append(sentence) } }
        let events = ["t1", "t2", "t1", nil, "t1"].enumerated()
            .map { Event.stub(id: "lane\($0)", source: "lanes", task: $1) }
        let batch = Batch(source: "lanes", events: events, checkpoint: nil)
        let routes = events.map { _ in [Route(rule: "r", sink: "lanes")] }
        let ids = try await self.spool.append(batch, routes: routes, now: self.now).deliveries["lanes"] ?? []
        let lane = ids[0].lane ?? 0
        func read(_ lanes: [SpoolLane], upTo cursor: Int64, _ limit: Int) async throws -> [[Int64]] {
            try await self.spool.pending(sink: "lanes", lanes: lanes, upTo: cursor, limit: limit).map { $0.map(\.id) }
        }
        check(
            try await read([.task(lane), .single(ids[3].id)], upTo: .max, 9)
                == [[ids[0].id, ids[2].id, ids[4].id], [ids[3].id]],
            "a lane's pending deliveries come in order, one by itself by its number"
        )
        check(try await read([.task(lane)], upTo: ids[3].id, 9) == [[ids[0].id, ids[2].id]], "not beyond the cursor")
        check(try await read([.task(lane)], upTo: .max, 1) == [[ids[0].id]], "and not beyond the limit")
        let later = self.now + .seconds(60)
        try await self.spool.settle(
            [
                Settlement(id: ids[0].id, attempt: 0, outcome: .postponed(until: later, reason: "429"), at: self.now),
                Settlement(id: ids[2].id, attempt: 1, outcome: .held(reason: "no answer"), at: self.now),
            ],
            now: self.now
        )
        let rest = try await self.spool.pending(sink: "lanes", lanes: [.task(lane)], upTo: .max, limit: 9)[0]
        check(rest.map(\.id) == [ids[0].id, ids[4].id], "what is held is not pending, what is postponed is")
        check(rest.first?.attempts == 0 && rest.first?.due == later, "being postponed is no attempt, but has a time")
    }

    private func checkPruning(_ found: inout [String]) async throws {
        let retention = Retention(keep: .seconds(60), keepDeadLetters: .seconds(600), maxSize: .max)
        let horizon = self.now + .seconds(100)
        let old = self.now - .seconds(1000)
        for (name, outcome) in [
            ("delivered", Outcome.delivered(answer: "")), ("dead", .dead(reason: "")), ("pending", .released),
        ] {
            let batch = Batch(
                source: "prune",
                events: [.stub(id: name, source: "prune", time: old)],
                checkpoint: Checkpoint(position: "p", horizon: horizon)
            )
            let appended = try await self.spool.append(batch, routes: [[Route(rule: "r", sink: name)]], now: self.now)
            let id = appended.deliveries[name]?.first?.id ?? 0
            try await self.spool.settle([Settlement(id: id, attempt: 1, outcome: outcome, at: self.now)], now: self.now)
        }
        let inOverlap = Batch(
            source: "prune",
            events: [.stub(id: "young", source: "prune", time: horizon)],
            checkpoint: nil
        )
        _ = try await self.spool.append(inOverlap, routes: [[]], now: self.now)
        func isKnown(_ id: String) async throws -> Bool {
            let batch = Batch(source: "prune", events: [.stub(id: id, source: "prune", time: old)], checkpoint: nil)
            return try await self.spool.append(batch, routes: [[]], now: self.now + .seconds(10_000)).receipt.known == 1
        }
        func prune(after seconds: Int64) async throws -> Int {
            var (forgotten, position) = (0, Int64?(0))
            while let after = position {
                let step = try await self.spool.prune(
                    retention,
                    now: self.now + .seconds(seconds),
                    after: after,
                    limit: 2
                )
                forgotten += step.forgotten
                position = step.next
            }
            return forgotten
        }
        if try await prune(after: 59) != 0 {
            found.append("nothing young is pruned")
        }
        _ = try await prune(after: 300)
        if try await isKnown("delivered") { found.append("an old settled event is pruned") }
        if try await !isKnown("young") { found.append("an event inside the overlap is kept: its id tells a repeat") }
        if try await !isKnown("dead") { found.append("a dead letter is kept longer") }
        _ = try await prune(after: 700)
        if try await isKnown("dead") { found.append("a dead letter is pruned in the end") }
        if try await !isKnown("pending") { found.append("an event that is owed is never pruned") }
    }

    private func batch(_ ids: [String], _ checkpoint: Checkpoint?, rejected: [String] = []) -> Batch {
        Batch(
            source: "relay",
            events: ids.map { .stub(id: $0, task: "t1") },
            rejected: rejected.map { RejectedEvent(data: Bytes($0), reason: "not an object") },
            checkpoint: checkpoint
        )
    }
}
