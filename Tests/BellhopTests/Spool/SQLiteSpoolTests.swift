import BellhopCore
import BellhopTesting
import Foundation
import GRDB
import Testing

@testable import Bellhop

@Suite struct SQLiteSpoolTests {
    private let folder: TemporaryFolder
    private let now = Timestamp(seconds: 1_723_141_540)

    init() throws { self.folder = try TemporaryFolder() }

    private func append(_ ids: [String], to spool: SQLiteSpool) async throws -> Appended {
        let batch = Batch(source: "relay", events: ids.map { .stub(id: $0) }, checkpoint: nil)
        return try await spool.append(batch, routes: ids.map { _ in [Route(rule: "r", sink: "s")] }, now: self.now)
    }

    @Test func `it keeps the contract of a spool, in memory and on disk`() async throws {
        #expect(try await SpoolContract(SQLiteSpool.inMemory()).violations() == [])
        #expect(try await SpoolContract(SQLiteSpool(folder: self.folder.path)).violations() == [])
    }

    @Test func `what was committed is there after it is opened again, and numbers go on`() async throws {
        var spool = try SQLiteSpool(folder: self.folder.path)
        let before = try await self.append(["a", "b"], to: spool)
        try await spool.close()
        spool = try SQLiteSpool(folder: self.folder.path)
        #expect(try await spool.pending(sink: "s", after: 0, limit: 9, byteLimit: .max).count == 2)
        let after = try await self.append(["b", "c"], to: spool)
        #expect(after.receipt == Receipt(new: 1, known: 1))
        #expect(try #require(after.deliveries["s"]?.first?.id) > #require(before.deliveries["s"]?.last?.id))
    }

    @Test func `numbers grow also after everything was pruned`() async throws {
        let spool = try SQLiteSpool(folder: self.folder.path)
        let first = try #require(try await self.append(["a"], to: spool).deliveries["s"]?.first)
        _ = try await spool.settle(
            [Settlement(id: first.id, attempt: 1, outcome: .delivered(answer: ""), at: self.now)],
            now: self.now
        )
        let horizon = Batch(source: "relay", events: [], checkpoint: Checkpoint(position: "", horizon: .distantFuture))
        _ = try await spool.append(horizon, routes: [], now: self.now)
        let retention = Retention(keep: .zero, keepDeadLetters: .zero, maxSize: .max)
        #expect(try await spool.prune(retention, now: self.now + .seconds(1), after: 0, limit: 9).forgotten == 1)
        let second = try #require(try await self.append(["b"], to: spool).deliveries["s"]?.first)
        #expect(second.id > first.id)
    }

    @Test func `its files are for nobody else to read`() throws {
        let folder = "\(self.folder.path)/data"
        _ = try SQLiteSpool(folder: folder)
        for (path, mode) in [(folder, 0o700), (SQLiteSpool.path(in: folder), 0o600)] {
            let attributes = try FileManager.default.attributesOfItem(atPath: path)
            #expect((attributes[.posixPermissions] as? NSNumber)?.intValue == mode)
        }
    }

    @Test func `a full spool refuses a batch as a whole, says so, and takes more when there is room`() async throws {
        let spool = try SQLiteSpool(folder: self.folder.path, maxSize: 1_100_000)
        let big = "{\"x\":\"\(String(repeating: "y", count: 100_000))\"}"
        var accepted = 0
        var failure: (any Error)?
        while failure == nil, accepted < 100 {
            let batch = Batch(
                source: "relay",
                events: [.stub(id: "e\(accepted)", json: big)],
                checkpoint: Checkpoint(position: "\(accepted)", horizon: .distantPast)
            )
            do {
                _ = try await spool.append(batch, routes: [[Route(rule: "r", sink: "s")]], now: self.now)
                accepted += 1
            } catch { failure = error }
        }
        guard case .full = failure as? SpoolError else {
            Issue.record("\(String(describing: failure))")
            return
        }
        #expect(accepted > 3 && accepted < 20)
        await #expect(throws: SpoolError.self) { try await spool.tryOut() }
        // What makes room goes on: settling, and then forgetting.
        let full = try await spool.pending(sink: "s", after: 0, limit: 1, byteLimit: .max)
        _ = try await spool.settle(
            [Settlement(id: full[0].id, attempt: 1, outcome: .retry(at: self.now, reason: "503"), at: self.now)],
            now: self.now
        )
        #expect(try await spool.checkpoint(of: "relay")?.position == "\(accepted - 1)")
        #expect(try await spool.pending(sink: "s", after: 0, limit: 99, byteLimit: .max).count == accepted)
        try await spool.close()
        let larger = try SQLiteSpool(folder: self.folder.path, maxSize: 10_000_000)
        try await larger.tryOut()
        #expect(try await self.append(["more"], to: larger).receipt.new == 1)
    }

    @Test func `what is no event cannot fill the disk, and goes with age also where there are no events`() async throws
    {
        let spool = try SQLiteSpool(folder: self.folder.path, maxSize: 1_100_000)
        var (accepted, isFull) = (0, false)
        while !isFull, accepted < 100 {
            let data = Bytes(String(repeating: "y", count: 100_000) + "\(accepted)")
            let batch = Batch(
                source: "relay",
                events: [],
                rejected: [RejectedEvent(data: data, reason: "no")],
                checkpoint: nil
            )
            do {
                accepted += try await spool.append(batch, routes: [], now: self.now).rejected
            } catch SpoolError.full {
                isFull = true
            }
        }
        #expect(isFull && accepted > 3)
        _ = try await spool.prune(.default, now: self.now + .seconds(3600), after: 0, limit: 100)
        #expect(try await spool.rejected().count == accepted)
        _ = try await spool.prune(.default, now: self.now + .seconds(31 * 86_400), after: 0, limit: 100)
        #expect(try await spool.rejected().isEmpty)
        #expect(try await self.append(["more"], to: spool).receipt.new == 1)
    }

    @Test func `of what is no event the newest are kept`() async throws {
        let spool = try SQLiteSpool.inMemory()
        let rejected = (0..<10_050).map { RejectedEvent(data: Bytes("x\($0)"), reason: "no") }
        let batch = Batch(source: "relay", events: [], rejected: rejected, checkpoint: nil)
        #expect(try await spool.append(batch, routes: [], now: self.now).rejected == 10_050)
        _ = try await spool.prune(.default, now: self.now, after: 0, limit: 100)
        let kept = try await spool.rejected(limit: 20_000)
        #expect(kept.count == 10_000 && kept.last?.data == "x50")
    }

    @Test func `a damaged file is named, with what to do`() throws {
        try self.folder.write("spool.db", String(repeating: "this is no database ", count: 500))
        let error = #expect(throws: SpoolError.self) { try SQLiteSpool(folder: self.folder.path) }
        guard case .damaged = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(error?.description.contains("move it away") == true)
    }

    @Test func `a spool of a newer version is left alone`() async throws {
        let spool = try SQLiteSpool(folder: self.folder.path)
        try await spool.write { try $0.execute(sql: "INSERT INTO grdb_migrations VALUES('99: later')") }
        try await spool.close()
        let error = #expect(throws: SpoolError.self) { try SQLiteSpool(folder: self.folder.path) }
        guard case .newer = error else {
            Issue.record("\(String(describing: error))")
            return
        }
    }

    @Test func `a folder has one owner, and the second is told who it is`() throws {
        let first = try OwnerLock(folder: self.folder.path, startedAt: self.now)
        let error = #expect(throws: SpoolError.self) { try OwnerLock(folder: self.folder.path, startedAt: self.now) }
        #expect(error?.description.contains("process \(getpid())") == true)
        withExtendedLifetime(first) {}
    }

    @Test func `dead letters become pending again, and their patience starts anew`() async throws {
        let spool = try SQLiteSpool(folder: self.folder.path)
        let id = try #require(try await self.append(["a"], to: spool).deliveries["s"]?.first?.id)
        _ = try await spool.settle(
            [Settlement(id: id, attempt: 3, outcome: .dead(reason: "404"), at: self.now)],
            now: self.now
        )
        let other = try SQLiteSpool.existing(in: self.folder.path)
        let before = try await spool.foreignChanges()
        var filter = DeliveryFilter()
        filter.states = ["dead"]
        #expect(try await other.deliveries(filter).map(\.answer) == ["404"])
        #expect(try await other.attempts(of: id).map(\.reason) == ["404"])
        #expect(try await other.retry(filter, now: SystemClock().now()) == 1)
        #expect(try await spool.foreignChanges() != before)
        let pending = try #require(try await spool.pending(sink: "s", after: 0, limit: 9, byteLimit: .max).first)
        #expect(pending.attempts == 3 && pending.due <= self.now && pending.accepted > self.now)
    }

    @Test func `a spool that is not there is not made by looking`() throws {
        #expect(throws: SpoolError.self) { try SQLiteSpool.existing(in: "\(self.folder.path)/nowhere") }
        #expect(!FileManager.default.fileExists(atPath: "\(self.folder.path)/nowhere"))
    }
}
