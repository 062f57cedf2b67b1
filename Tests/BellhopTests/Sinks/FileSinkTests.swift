import BellhopCore
import BellhopSimulator
import BellhopTesting
import Foundation
import Testing

@testable import Bellhop

@Suite(.timeLimit(.minutes(4))) struct FileSinkTests {
    private let folder: TemporaryFolder

    init() throws { self.folder = try TemporaryFolder() }

    private func file(_ options: String) -> FileSink {
        FileSink(name: "s", options: .stub(options), context: .stub(folder: self.folder.path))
    }

    @Test func `a file gets whole lines, one for each event`() async {
        let sink = self.file(#"{"path":"a.ndjson"}"#)
        let verdicts = await sink.deliver([Delivery].stubs(1...3) { "{\n  \"n\": \($0)\r\n}" })
        #expect(verdicts == Array(repeating: .success("written"), count: 3))
        #expect(self.folder.lines("a.ndjson") == (1...3).map { "{   \"n\": \($0)  }" })
    }

    @Test func `a file is opened again when logrotate has moved it, and on request`() async throws {
        let sink = self.file(#"{"path":"a.ndjson","fsync":"never"}"#)
        _ = await sink.deliver([Delivery].stubs(1...1))
        rename("\(self.folder.path)/a.ndjson", "\(self.folder.path)/a.ndjson.1")
        _ = await sink.deliver([Delivery].stubs(2...2))
        await sink.reopen()
        _ = await sink.deliver([Delivery].stubs(3...3))
        #expect(self.folder.lines("a.ndjson.1") == ["{\"n\":1}"])
        #expect(self.folder.lines("a.ndjson") == ["{\"n\":2}", "{\"n\":3}"])
    }

    @Test func `a file rotates by size and keeps so many`() async {
        let sink = self.file(#"{"path":"a.ndjson","rotate":{"size":"1KB","keep":2}}"#)
        for id in 1...5 {
            _ = await sink.deliver(
                [Delivery].stubs(id...id) { "{\"n\":\($0),\"pad\":\"\(String(repeating: "x", count: 600))\"}" }
            )
        }
        for (name, id) in [("a.ndjson", 5), ("a.ndjson.1", 4), ("a.ndjson.2", 3)] {
            #expect(self.folder.lines(name).count == 1 && self.folder.read(name).contains("\"n\":\(id),"))
        }
        #expect(!FileManager.default.fileExists(atPath: "\(self.folder.path)/a.ndjson.3"))
    }

    @Test func `half a line that a crash left is removed, and a whole one that lacks its end gets it`() async throws {
        try self.folder.write("a.ndjson", "{\"n\":0}\n{\"n\":1,\"pa")
        _ = await self.file(#"{"path":"a.ndjson"}"#).deliver([Delivery].stubs(1...1))
        #expect(self.folder.lines("a.ndjson") == ["{\"n\":0}", "{\"n\":1}"])
        try self.folder.write("b.ndjson", "somebody's note")
        _ = await self.file(#"{"path":"b.ndjson"}"#).deliver([Delivery].stubs(1...1))
        #expect(self.folder.lines("b.ndjson") == ["somebody's note", "{\"n\":1}"])
    }

    @Test func `a disk that is full, a folder that is missing and a FIFO without reader are passing`() async {
        mkfifo("\(self.folder.path)/fifo", 0o600)
        for path in ["/dev/full", "missing/a.ndjson", "fifo", "."] {
            let verdicts = await self.file("{\"path\":\"\(path)\"}").deliver([Delivery].stubs(1...2))
            for verdict in verdicts {
                guard case .failure(.transient(let reason, _)) = verdict else {
                    Issue.record("\(path): \(verdict)")
                    return
                }
                #expect(reason.contains(path == "." ? self.folder.path : path))
            }
        }
    }

    @Test(.enabled(if: SmallDisk.isPossible, "tmpfs cannot be mounted here; it takes root and CAP_SYS_ADMIN"))
    func `a disk that fills up keeps whole lines, and takes the rest when there is room`() async throws {
        let disk = try #require(SmallDisk(in: self.folder))
        defer { disk.unmount() }
        let ballast = try self.folder.write("disk/ballast", String(repeating: "x", count: 900_000))
        let sink = self.file(#"{"path":"disk/a.ndjson"}"#)
        let pad = String(repeating: "y", count: 600)
        var id = 0
        var failed: Verdict?
        while failed == nil, id < 1000 {
            id += 1
            let verdict = await sink.deliver([Delivery].stubs(id...id) { "{\"n\":\($0),\"p\":\"\(pad)\"}" })[0]
            if case .failure = verdict { failed = verdict }
        }
        guard case .failure(.transient(let reason, _)) = failed else {
            Issue.record("\(String(describing: failed))")
            return
        }
        #expect(reason.contains("No space left"))
        #expect(
            self.folder.lines("disk/a.ndjson").count == id - 1 && self.folder.read("disk/a.ndjson").hasSuffix("}\n")
        )
        try FileManager.default.removeItem(atPath: ballast)
        let again = await sink.deliver([Delivery].stubs(id...id) { "{\"n\":\($0),\"p\":\"\(pad)\"}" })[0]
        #expect(again == .success("written"))
        #expect(self.folder.lines("disk/a.ndjson").count == id)
        await sink.close()
    }

    @Test func `a folder that is removed is passing, and nothing is written beside it`() async throws {
        try FileManager.default.createDirectory(atPath: "\(self.folder.path)/logs", withIntermediateDirectories: true)
        let sink = self.file(#"{"path":"logs/a.ndjson"}"#)
        #expect(await sink.deliver([Delivery].stubs(1...1)) == [.success("written")])
        try FileManager.default.removeItem(atPath: "\(self.folder.path)/logs")
        guard case .failure(.transient) = await sink.deliver([Delivery].stubs(2...2))[0] else {
            Issue.record("written into a file that nobody can open any more")
            return
        }
        try FileManager.default.createDirectory(atPath: "\(self.folder.path)/logs", withIntermediateDirectories: true)
        #expect(await sink.deliver([Delivery].stubs(2...2)) == [.success("written")])
        #expect(self.folder.lines("logs/a.ndjson") == ["{\"n\":2}"])
    }

    @Test func `a line that a full pipe cut is completed, not torn`() throws {
        let pipe = Pipe()
        let descriptor = pipe.fileHandleForWriting.fileDescriptor
        _ = fcntl(descriptor, F_SETFL, O_NONBLOCK)
        let long = "{\"n\":\"\(String(repeating: "x", count: 50_000))\"}"
        var writer = LineWriter()
        for _ in 0..<3 { writer.add(Bytes(long)) }
        let failure = #expect(throws: LineWriter.Failure.self) { try writer.write(to: descriptor, patience: .zero) }
        let cut = try #require(failure)
        #expect(cut.linesWritten < 3 && !cut.rest.isEmpty)
        let first = self.drain(pipe.fileHandleForReading.fileDescriptor)
        var again = LineWriter()
        again.add(rest: cut.rest)
        try again.write(to: descriptor, patience: .zero)
        let text = String(decoding: first + self.drain(pipe.fileHandleForReading.fileDescriptor), as: UTF8.self)
        #expect(text == String(repeating: long + "\n", count: cut.linesWritten + 1))
        // Or its descriptors would be closed, and belong to somebody else.
        withExtendedLifetime(pipe) {}
    }

    /// Everything that is in a pipe by now.
    private func drain(_ descriptor: Int32) -> [UInt8] {
        _ = fcntl(descriptor, F_SETFL, O_NONBLOCK)
        var found: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = read(descriptor, &buffer, buffer.count)
            guard count > 0 else { return found }
            found += buffer[..<count]
        }
    }
}

/// A file system of a megabyte.
private struct SmallDisk {
    private let path: String

    static let isPossible: Bool = {
        guard let folder = try? TemporaryFolder(), let disk = SmallDisk(in: folder) else { return false }
        disk.unmount()
        return true
    }()

    init?(in folder: TemporaryFolder) {
        self.path = "\(folder.path)/disk"
        mkdir(self.path, 0o700)
        guard mount("tmpfs", self.path, "tmpfs", 0, "size=1m") == 0 else { return nil }
    }

    func unmount() { umount2(self.path, Int32(MNT_DETACH)) }
}
