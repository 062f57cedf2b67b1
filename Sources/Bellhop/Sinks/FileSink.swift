import BellhopCore
import Foundation
import Logging

/// Appends each event as one line to a file.
package struct FileSink: Sink {
    package static let kind = "file"
    package static let reference = """
        # Appends one line per event. Opens the file again after logrotate has moved it, and on SIGHUP.
        kind: file
        path: ./audit.ndjson               # relative to the configuration file
        \(PayloadOption.reference(PayloadFormat.lines))
        fsync: every_batch                 # every_batch: delivered means on disk; interval: once a second; never
        rotate: { size: 100MB, keep: 5 }   # none without it; keep counts the rotated files
        """

    package let name: String
    package let address: String
    package let dispatch = DispatchPolicy(order: .sink, batchLimit: 500)

    private let file: AppendedFile
    private let payload: Payload

    package init(name: String, options: OptionReader, context: ComponentContext) {
        self.name = name
        let path = options.requiredString("path", "the file to append to")
        self.address = path.isEmpty ? "?" : context.path(path)
        self.payload = PayloadOption.read(options, PayloadFormat.lines)
        let fsync = options.choice("fsync", default: AppendedFile.Sync.everyBatch)
        let hasRotation = options.optional("rotate") != nil
        let rotate = options.nested("rotate")
        let size = rotate.size("size", default: 100_000_000, in: 1000...1_000_000_000_000)
        let keep = rotate.integer("keep", default: 5, in: 1...1000)
        rotate.finish()
        self.file = AppendedFile(
            path: self.address,
            sync: fsync,
            rotation: hasRotation ? (size, keep) : nil,
            logger: context.logger
        )
    }

    package func deliver(_ deliveries: [Delivery]) async -> [Verdict] {
        let (lines, rest) = self.payload.lines(of: deliveries)
        return await self.file.append(lines) + rest
    }

    package func preview(_ delivery: Delivery) throws(DeliveryError) -> SinkPreview {
        SinkPreview(head: ["append to \(self.address)"], body: try self.payload.line(of: delivery).string)
    }

    package func reopen() async { await self.file.close() }
    package func close() async { await self.file.close() }
}

/// A file that grows by whole lines, whatever others do to its name.
private actor AppendedFile {
    enum Sync: String, CaseIterable, Sendable {
        case everyBatch = "every_batch"
        case interval
        case never
    }

    private let executor: BlockingExecutor
    private let path: String
    private let sync: Sync
    private let rotation: (size: Int64, keep: Int)?
    private let logger: Logger
    private var descriptor: Int32 = -1
    private var isSyncPlanned = false

    nonisolated var unownedExecutor: UnownedSerialExecutor { self.executor.asUnownedSerialExecutor() }

    init(path: String, sync: Sync, rotation: (size: Int64, keep: Int)?, logger: Logger) {
        self.executor = BlockingExecutor(label: "bellhop-file")
        self.path = path
        self.sync = sync
        self.rotation = rotation
        self.logger = logger
    }

    func append(_ lines: [Bytes]) -> [Verdict] {
        var writer = LineWriter()
        for line in lines { writer.add(line) }
        do {
            try self.prepare(for: Int64(writer.byteCount))
            try self.write(writer)
            try self.flush()
            return lines.map { _ in .success("written") }
        } catch let failure as LineWriter.Failure {
            return LineWriter.verdicts(lines.count, failure, "cannot write \(self.path): \(failure.reason)")
        } catch {
            return lines.map { _ in .failure(.transient(reason: "\(error)")) }
        }
    }

    func close() {
        guard self.descriptor >= 0 else { return }
        if self.sync != .never { _ = fsync(self.descriptor) }
        _ = Foundation.close(self.descriptor)
        self.descriptor = -1
    }

    private func prepare(for bytes: Int64) throws {
        if self.descriptor >= 0, !self.isSameFile() { self.close() }
        if self.descriptor < 0 { try self.open() }
        guard let rotation = self.rotation else { return }
        let size = self.size
        if size > 0, size + bytes > rotation.size { try self.rotate(keep: rotation.keep) }
    }

    /// Whether the name still leads to the open file: logrotate renames it.
    private func isSameFile() -> Bool {
        var named = stat()
        var open = stat()
        guard stat(self.path, &named) == 0, fstat(self.descriptor, &open) == 0 else { return false }
        return named.st_ino == open.st_ino && named.st_dev == open.st_dev
    }

    private var size: Int64 {
        var status = stat()
        return fstat(self.descriptor, &status) == 0 ? Int64(status.st_size) : 0
    }

    private func open() throws {
        // Non-blocking: a FIFO that nobody reads is an error, not a wait without end.
        let descriptor = Foundation.open(self.path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0o640)
        guard descriptor >= 0 else { throw FileSinkError(path: self.path, action: "open", number: errno) }
        self.descriptor = descriptor
        self.repairLastLine()
    }

    /// A crash may have left half a line: its delivery is not settled and comes again as a whole, so the half goes. A
    /// last line that is whole but for its end, which somebody else may have written, gets its end.
    private func repairLastLine() {
        let size = self.size
        let reader = size > 0 ? Foundation.open(self.path, O_RDONLY | O_CLOEXEC | O_NONBLOCK) : -1
        guard reader >= 0 else { return }
        defer { _ = Foundation.close(reader) }
        let window = Int(min(size, 2_000_000))
        var tail = [UInt8](repeating: 0, count: window)
        let count = tail.withUnsafeMutableBytes { pread(reader, $0.baseAddress, window, off_t(Int(size) - window)) }
        guard count == window, tail.last != 10 else { return }
        let line = tail[(tail.lastIndex(of: 10).map { $0 + 1 } ?? 0)...]
        let isHalf =
            line.first == UInt8(ascii: "{")
            && (try? line.withUnsafeBytes { try JSONParser().parse(Bytes(copying: $0)) { _ in } }) == nil
        guard isHalf else {
            var end: UInt8 = 10
            _ = Foundation.write(self.descriptor, &end, 1)
            return
        }
        ftruncate(self.descriptor, off_t(Int(size) - line.count))
        self.logger.warning(
            "half a line at the end of a file was removed; its delivery is repeated",
            metadata: [LogKeys.file: "\(self.path)", LogKeys.count: "\(line.count)"]
        )
    }

    private func write(_ writer: LineWriter) throws {
        let before = self.size
        do {
            try writer.write(to: self.descriptor)
        } catch {
            // Back to where the file ended in a whole line; nothing of this batch counts as written.
            ftruncate(self.descriptor, off_t(before))
            self.close()
            throw LineWriter.Failure(number: error.number, linesWritten: 0)
        }
    }

    private func flush() throws {
        switch self.sync {
        case .never: break
        case .everyBatch:
            guard fsync(self.descriptor) == 0 || errno == EINVAL else {
                let number = errno
                self.close()
                throw FileSinkError(path: self.path, action: "sync", number: number)
            }
        case .interval:
            guard !self.isSyncPlanned else { return }
            self.isSyncPlanned = true
            self.executor.queue.asyncAfter(deadline: .now() + 1) {
                self.assumeIsolated { $0.syncNow() }
            }
        }
    }

    private func syncNow() {
        self.isSyncPlanned = false
        if self.descriptor >= 0 { _ = fsync(self.descriptor) }
    }

    /// `audit.ndjson` becomes `audit.ndjson.1`, that `.2`, and so on; the oldest goes.
    private func rotate(keep: Int) throws {
        self.close()
        for number in stride(from: keep - 1, through: 1, by: -1) {
            rename("\(self.path).\(number)", "\(self.path).\(number + 1)")
        }
        guard rename(self.path, "\(self.path).1") == 0 else {
            throw FileSinkError(path: self.path, action: "rotate", number: errno)
        }
        try self.open()
    }
}

private struct FileSinkError: Error, CustomStringConvertible {
    let path: String
    let action: String
    let number: Int32

    var description: String { "cannot \(self.action) \(self.path): \(String(cString: strerror(self.number)))" }
}
