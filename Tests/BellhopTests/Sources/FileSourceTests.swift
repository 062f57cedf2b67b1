import BellhopCore
import BellhopTesting
import Foundation
import Testing

@testable import Bellhop

@Suite(.timeLimit(.minutes(4))) struct FileSourceTests {
    private let folder: TemporaryFolder
    private let bench = SourceBench()

    init() throws { self.folder = try TemporaryFolder() }

    private func source(_ path: String = "in.ndjson", _ more: String = "", once: Bool = true) -> FileSource {
        let options = OptionReader.stub("{\"path\":\"\(path)\",\"poll_interval\":\"10ms\"\(more)}")
        return FileSource(name: "files", options: options, context: .stub(folder: self.folder.path, once: once))
    }

    private static func line(_ number: Int) -> String { "{\"event_id\":\"e\(number)\",\"n\":\(number)}" }
    private var numbers: [Int] { self.bench.events.compactMap { Int($0.id.dropFirst()) } }

    @Test func `lines are events, with id, time and task where Relay Pro has them`() async throws {
        try self.folder.write(
            "in.ndjson",
            "{\"event_id\":\"e1\",\"timestamp\":\"2024-08-08T18:25:40Z\",\"task\":{\"id\":\"t1\"}}\r\n\n  \n{\"event_id\":\"e2\",\"timestamp\":1723141540}"
        )
        try await self.bench.run(self.source())
        let events = self.bench.events
        #expect(events.map(\.id) == ["e1", "e2"] && events.map(\.task) == ["t1", nil])
        #expect(events.map(\.time.seconds) == [1_723_141_540, 1_723_141_540])
        #expect(events[1].data.string == "{\"event_id\":\"e2\",\"timestamp\":1723141540}")
    }

    @Test func `other fields may be named, and an event without an id is known by its place`() async throws {
        try self.folder.write("in.ndjson", "{\"a\":{\"id\":7},\"at\":\"2024-08-08\"}\n{\"x\":1}\n{\"x\":1}\n")
        let source = self.source("in.ndjson", #","id":"a.id","time":"at","task":"room""#)
        try await self.bench.run(source)
        #expect(self.bench.events.count == 3 && self.bench.events[0].id == "7")
        try await self.bench.run(source)
        #expect(self.bench.events.count == 3)
    }

    @Test func `what is no event is kept with its file and line`() async throws {
        let long = String(repeating: "x", count: 9_000_000)
        try self.folder.write(
            "in.ndjson",
            "{\"event_id\":\"e1\"}\nnot json\n[1]\n{\"pad\":\"\(long)\"}\n{\"event_id\":\"e2\"}\n"
        )
        try await self.bench.run(self.source())
        #expect(self.bench.events.map(\.id) == ["e1", "e2"])
        let reasons = self.bench.rejected.map { $0.reason.replacing("\(self.folder.path)/", with: "") }
        #expect(reasons.count == 3 && reasons[0].hasPrefix("in.ndjson:2: not valid JSON"), "\(reasons)")
        #expect(reasons[1] == "in.ndjson:3: an event is a JSON object")
        #expect(reasons[2].hasPrefix("in.ndjson:4: the line is longer") && self.bench.rejected[2].data.count == 4096)
    }

    @Test func `a restart goes on behind the last committed block`() async throws {
        try self.folder.write("in.ndjson", (0..<20_000).map { Self.line($0) + "\n" }.joined())
        try await self.bench.run(self.source()) { $0.events.count >= 5000 }
        let before = self.bench.events.count
        #expect(before < 20_000)
        try await self.bench.run(self.source())
        #expect(self.numbers == Array(0..<20_000) && self.bench.repeats == 0)
    }

    @Test func `a pattern reads all its files, the oldest first, and new ones as they come`() async throws {
        try self.folder.write("b-1.ndjson", Self.line(1) + "\n")
        try await Task.sleep(for: .milliseconds(20))
        try self.folder.write("a-2.ndjson", Self.line(2))
        try await self.bench.run(self.source("*-?.ndjson"))
        #expect(self.numbers == [1, 2])
        try self.folder.write("c-3.ndjson", Self.line(3) + "\n")
        try await self.bench.run(self.source("*-?.ndjson"))
        #expect(self.numbers == [1, 2, 3] && self.bench.repeats == 0)
    }

    @Test func `gzip is unpacked, in several members, and a restart goes on inside`() async throws {
        try await self.checkUnpacked(
            "gz",
            "head -15000 in.ndjson | gzip > in.ndjson.gz; tail -n +15001 in.ndjson | gzip >> in.ndjson.gz"
        )
    }

    @Test(.enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/zstd"), "zstd(1) makes the file"))
    func `zstd is unpacked, and a restart goes on inside`() async throws {
        try await self.checkUnpacked("zst", "zstd -q in.ndjson -o in.ndjson.zst")
    }

    private func checkUnpacked(_ suffix: String, _ script: String) async throws {
        try self.folder.write("in.ndjson", (0..<30_000).map { Self.line($0) + "\n" }.joined())
        try #require(await self.shell(script) == 0)
        try await self.bench.run(self.source("in.ndjson.\(suffix)")) { $0.events.count >= 10_000 }
        try await self.bench.run(self.source("in.ndjson.\(suffix)"))
        #expect(self.numbers == Array(0..<30_000) && self.bench.repeats == 0)
    }

    @Test func `a damaged archive is told, and what was whole is kept`() async throws {
        try self.folder.write("in.ndjson", (0..<30_000).map { Self.line($0) + "\n" }.joined())
        _ = await self.shell("gzip -c in.ndjson | head -c 50000 > in.ndjson.gz")
        let error = await #expect(throws: SourceError.self) { try await self.bench.run(self.source("in.ndjson.gz")) }
        #expect(error?.description.contains("ends in the middle") == true)
        #expect(self.numbers.count > 100 && self.numbers == Array(0..<self.numbers.count))
    }

    /// Waits on a thread of its own: Swift's are shared by all tests.
    private func shell(_ script: String) async -> Int32 {
        let folder = self.folder.path
        return await withCheckedContinuation { continuation in
            Thread.detachNewThread {
                let process = Process()
                process.executableURL = URL(fileURLWithPath: "/bin/sh")
                process.arguments = ["-c", "cd '\(folder)'; \(script)"]
                let isRunning = (try? process.run()) != nil
                if isRunning { process.waitUntilExit() }
                continuation.resume(returning: isRunning ? process.terminationStatus : -1)
            }
        }
    }

    @Test func `a file that is not there is told`() async throws {
        let error = await #expect(throws: SourceError.self) { try await self.bench.run(self.source("nowhere")) }
        #expect(error?.description.contains("there is no file") == true)
    }

    // MARK: - Following

    /// Writes lines and rotates now and then, as a service with logrotate does.
    private func write(
        _ numbers: Range<Int>,
        rotateEvery count: Int,
        by rotate: @escaping @Sendable (String, Int) -> Void
    ) async throws {
        let path = "\(self.folder.path)/in.ndjson"
        var rotations = 0
        for number in numbers {
            if number > numbers.lowerBound, number % count == 0 {
                rotations += 1
                rotate(path, rotations)
            }
            let handle = open(path, O_WRONLY | O_APPEND | O_CREAT, 0o644)
            // In two pieces: a line may be there by half.
            let line = Array((Self.line(number) + "\n").utf8)
            _ = line.prefix(7).withUnsafeBytes { Foundation.write(handle, $0.baseAddress, 7) }
            if number % 50 == 0 { try await Task.sleep(for: .milliseconds(1)) }
            _ = line.dropFirst(7).withUnsafeBytes { Foundation.write(handle, $0.baseAddress, $0.count) }
            close(handle)
        }
    }

    @Test func `through 50 rotations under writing no line is lost or doubled`() async throws {
        let count = 51 * 400
        async let written: Void = self.write(0..<count, rotateEvery: 400) { path, number in
            rename(path, "\(path).\(number)")
        }
        // Restarted now and then, too: at each of these the run is cut at the worst moment.
        for stop in [3000, 9000, 15_000] {
            try await self.bench.run(self.source(#"in.ndjson"#, #","follow":true"#, once: false)) {
                $0.events.count >= stop
            }
        }
        try await self.bench.run(self.source(#"in.ndjson"#, #","follow":true"#, once: false)) {
            $0.events.count >= count
        }
        try await written
        #expect(Set(self.numbers) == Set(0..<count) && self.numbers.count == count && self.bench.repeats == 0)
        #expect(self.numbers == self.numbers.sorted())
    }

    @Test func `what was rotated away while nobody read is read first`() async throws {
        let path = try self.folder.write("in.ndjson", (0..<10).map { Self.line($0) + "\n" }.joined())
        try await self.bench.run(self.source("in.ndjson", #","follow":true"#))
        for rotation in 1...3 {
            let handle = try #require(FileHandle(forWritingAtPath: path) ?? nil)
            try handle.seekToEnd()
            handle.write(Data((Self.line(rotation * 10) + "\n").utf8))
            try handle.close()
            try await Task.sleep(for: .milliseconds(15))
            rename(path, "\(path).\(rotation)")
            try self.folder.write("in.ndjson", Self.line(rotation * 10 + 1) + "\n")
        }
        try await self.bench.run(self.source("in.ndjson", #","follow":true"#))
        #expect(self.numbers == Array(0..<10) + [10, 11, 20, 21, 30, 31] && self.bench.repeats == 0)
    }

    @Test func `a file that is cut is read from its start again`() async throws {
        let path = try self.folder.write("in.ndjson", "{\"x\":1}\n{\"x\":2}\n{\"x\":3}\n")
        let source = self.source("in.ndjson", #","follow":true"#, once: false)
        async let read: Void = self.bench.run(source) { $0.events.count >= 5 }
        while self.bench.events.count < 3 { try await Task.sleep(for: .milliseconds(5)) }
        truncate(path, 0)
        // As copytruncate leaves it: the same file, and shorter.
        try await Task.sleep(for: .milliseconds(50))
        let handle = try #require(FileHandle(forWritingAtPath: path) ?? nil)
        handle.write(Data("{\"x\":1}\n{\"x\":2}\n".utf8))
        try handle.close()
        try await read
        #expect(
            self.bench.events.map(\.data.string) == ["{\"x\":1}", "{\"x\":2}", "{\"x\":3}", "{\"x\":1}", "{\"x\":2}"]
        )
    }

    @Test func `half a line waits for its end`() async throws {
        let path = try self.folder.write("in.ndjson", "{\"event_id\":\"e0\"}\n{\"event_id\"")
        let source = self.source("in.ndjson", #","follow":true"#, once: false)
        async let read: Void = self.bench.run(source) { $0.events.count >= 2 }
        while self.bench.events.isEmpty { try await Task.sleep(for: .milliseconds(5)) }
        try await Task.sleep(for: .milliseconds(50))
        let handle = try #require(FileHandle(forWritingAtPath: path) ?? nil)
        try handle.seekToEnd()
        handle.write(Data(":\"e1\"}\n".utf8))
        try handle.close()
        try await read
        #expect(self.numbers == [0, 1] && self.bench.rejected.isEmpty)
    }

    @Test func `a pipe that pauses is waited for, and does not hold who wants to stop`() async throws {
        let path = "\(self.folder.path)/fifo"
        #expect(mkfifo(path, 0o600) == 0)
        // Both ends, so that it is never at its end.
        let writer = open(path, O_RDWR)
        defer { close(writer) }
        let source = self.source("fifo", #","follow":true"#, once: false)
        async let read: Void = self.bench.run(source) { $0.events.count >= 3 }
        for number in 0..<3 {
            let line = Array((Self.line(number) + "\n").utf8)
            _ = line.withUnsafeBytes { Foundation.write(writer, $0.baseAddress, $0.count) }
            while self.bench.events.count <= number { try await Task.sleep(for: .milliseconds(2)) }
        }
        // Ends although the pipe stays open and silent.
        try await read
        #expect(self.numbers == [0, 1, 2])
    }

    @Test func `a batch that the spool refuses is read again`() async throws {
        try self.folder.write("in.ndjson", (0..<10).map { Self.line($0) + "\n" }.joined())
        await #expect(throws: SourceError.self) {
            try await self.bench.run(self.source(), commits: { _ in false })
        }
        #expect(self.bench.events.isEmpty && self.bench.checkpoint == nil)
        try await self.bench.run(self.source())
        #expect(self.numbers == Array(0..<10))
    }
}
