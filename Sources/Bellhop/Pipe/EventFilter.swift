import BellhopCore
import Foundation

/// A Unix filter: lines of JSON in, those that at least one rule matches out, unchanged and in order. No spool.
///
/// Blocks of half a megabyte are filtered beside each other, and written in the order they were read.
package struct EventFilter: Sendable {
    /// What became of the input.
    package struct Summary: Sendable {
        package var events = 0
        package var matched = 0
        package var bad = 0
    }

    private let rules: RuleSet
    private let width: Int

    /// - `width`: blocks filtered at once.
    package init(_ rules: RuleSet, width: Int) {
        self.rules = rules
        self.width = width
    }

    /// - `onBadLine`: told the number (from 1) and fault of each line that is no JSON object.
    /// - Throws: ``FilterError`` when the input cannot be read or the output not be written.
    package func run(
        input: Int32,
        output: Int32,
        onBadLine: (Int, String) -> Void
    ) async throws -> Summary {
        let reader = BlockReader(input)
        let writer = BlockWriter(output)
        var summary = Summary()
        var linesBefore = 0
        try await withThrowingTaskGroup(of: Step.self) { group in
            var finished: [Int: FilteredBlock] = [:]
            var nextToRead = 0
            var nextToWrite = 0
            var isReading = true
            group.addTask { .read(try await reader.next()) }
            // A read and the filtering run side by side, so that what is done is written although the input pauses.
            while let step = try await group.next() {
                switch step {
                case .read(let block):
                    isReading = false
                    guard let block else { break }
                    let index = nextToRead
                    nextToRead += 1
                    group.addTask { .filtered(index, self.filter(block)) }
                case .filtered(let index, let block):
                    finished[index] = block
                    while let block = finished.removeValue(forKey: nextToWrite) {
                        try await writer.write(block.block, block.matched)
                        for (line, reason) in block.bad { onBadLine(linesBefore + line, reason) }
                        linesBefore += block.lines
                        summary.events += block.events
                        summary.matched += block.matches
                        summary.bad += block.bad.count
                        nextToWrite += 1
                    }
                }
                // Only then: the reader answers nobody while it waits for input.
                guard !isReading, nextToRead - nextToWrite < self.width else { continue }
                if await !reader.isAtEnd {
                    isReading = true
                    group.addTask { .read(try await reader.next()) }
                }
            }
        }
        return summary
    }

    private enum Step: Sendable {
        case read(Bytes?)
        case filtered(Int, FilteredBlock)
    }

    private struct FilteredBlock: Sendable {
        let block: Bytes
        /// Matching lines with their ends; those that follow each other are one range.
        var matched: [Range<Int>] = []
        var lines = 0
        var events = 0
        var matches = 0
        var bad: [(line: Int, reason: String)] = []
    }

    private func filter(_ block: Bytes) -> FilteredBlock {
        let evaluator = RuleEvaluator(self.rules)
        var result = FilteredBlock(block: block)
        block.withUnsafeBytes { bytes in
            guard let base = bytes.baseAddress else { return }
            var start = 0
            while start < bytes.count {
                let newline = memchr(base + start, 10, bytes.count - start)
                let end = newline.map { base.distance(to: UnsafeRawPointer($0)) } ?? bytes.count
                let next = min(end + 1, bytes.count)
                result.lines += 1
                if self.accepts(base + start, end - start, evaluator, &result) {
                    result.matches += 1
                    if let last = result.matched.last, last.upperBound == start {
                        result.matched[result.matched.count - 1] = last.lowerBound..<next
                    } else {
                        result.matched.append(start..<next)
                    }
                }
                start = next
            }
        }
        return result
    }

    private func accepts(
        _ start: UnsafeRawPointer,
        _ count: Int,
        _ evaluator: RuleEvaluator,
        _ result: inout FilteredBlock
    ) -> Bool {
        let line = UnsafeRawBufferPointer(start: start, count: count)
        if line.allSatisfy({ $0 == 32 || $0 == 13 || $0 == 9 }) { return false }
        do {
            let matches = try self.matches(start, count, evaluator)
            guard let matches else {
                result.bad.append((result.lines, "not a JSON object"))
                return false
            }
            result.events += 1
            return matches
        } catch {
            result.bad.append((result.lines, "\(error)"))
            return false
        }
    }
}

extension EventFilter {
    /// Nil where the line is no object. Only a rule that comes to `event.time` and its like costs the whole event.
    private func matches(_ start: UnsafeRawPointer, _ count: Int, _ evaluator: RuleEvaluator) throws -> Bool? {
        guard self.rules.asksForEnvelope else { return try evaluator.matchesAny(start: start, count: count) }
        var made: Event?
        return try evaluator.matchesAny(start: start, count: count) {
            if let made { return made }
            let data = Bytes(copying: UnsafeRawBufferPointer(start: start, count: count))
            made = try? SampleEvents.event(data, source: "stdin", now: SystemClock().now())
            return made
        }
    }
}

package enum FilterError: Error, CustomStringConvertible {
    case read(String)
    case write(String)
    /// The reader of the output has gone away: nothing is wrong, and nothing is left to do.
    case closed
    case lineTooLong(Int)

    package var description: String {
        switch self {
        case .read(let reason): "cannot read the input: \(reason)"
        case .write(let reason): "cannot write the output: \(reason)"
        case .closed: "the output was closed by its reader"
        case .lineTooLong(let limit): "a line is longer than \(limit) bytes; is the input lines of JSON?"
        }
    }
}

/// Reads blocks of whole lines: as much as is there, up to half a megabyte.
private actor BlockReader {
    private static let size = 512 * 1024
    private static let lineLimit = 64 << 20

    private let executor = BlockingExecutor(label: "bellhop-read")
    private let descriptor: Int32
    /// The start of a line whose end has not been read.
    private var rest = Bytes()
    private(set) var isAtEnd = false

    nonisolated var unownedExecutor: UnownedSerialExecutor { self.executor.asUnownedSerialExecutor() }

    init(_ descriptor: Int32) {
        self.descriptor = descriptor
    }

    /// - Returns: nil at the end of the input.
    func next() throws -> Bytes? {
        guard !self.isAtEnd else { return nil }
        var builder = BytesBuilder(capacity: BlockReader.size + self.rest.count)
        builder.append(self.rest)
        var lastNewline: Int?
        while true {
            let start = builder.count
            let room = max(BlockReader.size - (start - self.rest.count), 64 * 1024)
            let count = try builder.append(upTo: room) { try self.read(into: $0) }
            if count == 0 {
                self.isAtEnd = true
                let block = builder.build()
                return block.isEmpty ? nil : block
            }
            lastNewline = builder.lastIndex(of: 10, from: start) ?? lastNewline
            guard builder.count - (lastNewline ?? 0) <= BlockReader.lineLimit else {
                throw FilterError.lineTooLong(BlockReader.lineLimit)
            }
            // Enough, or the input pauses: what is there goes on.
            if let lastNewline, builder.count - self.rest.count >= BlockReader.size * 3 / 4 || !self.hasMore() {
                let block = builder.build()
                self.rest = block[lastNewline + 1..<block.count].copy()
                return block[0..<lastNewline + 1]
            }
        }
    }

    private func hasMore() -> Bool {
        var poll = pollfd(fd: self.descriptor, events: Int16(POLLIN), revents: 0)
        return Foundation.poll(&poll, 1, 0) > 0
    }

    private func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        while true {
            let count = Foundation.read(self.descriptor, buffer.baseAddress, buffer.count)
            if count >= 0 { return count }
            guard errno == EINTR else { throw FilterError.read(String(cString: strerror(errno))) }
        }
    }
}

private actor BlockWriter {
    private let executor = BlockingExecutor(label: "bellhop-write")
    private let descriptor: Int32

    nonisolated var unownedExecutor: UnownedSerialExecutor { self.executor.asUnownedSerialExecutor() }

    init(_ descriptor: Int32) {
        self.descriptor = descriptor
    }

    /// Writes these parts of the block, straight from it.
    func write(_ block: Bytes, _ parts: [Range<Int>]) throws {
        try block.withUnsafeBytes { bytes in
            var vectors = parts.map { part in
                iovec(
                    iov_base: UnsafeMutableRawPointer(mutating: bytes.baseAddress?.advanced(by: part.lowerBound)),
                    iov_len: part.count
                )
            }
            var first = 0
            while first < vectors.count {
                // 1,024 is Linux's IOV_MAX.
                var written = vectors[first...].withUnsafeBufferPointer {
                    writev(self.descriptor, $0.baseAddress, Int32(min($0.count, 1024)))
                }
                guard written >= 0 else {
                    if errno == EINTR { continue }
                    throw errno == EPIPE ? FilterError.closed : FilterError.write(String(cString: strerror(errno)))
                }
                while first < vectors.count, written >= vectors[first].iov_len {
                    written -= vectors[first].iov_len
                    first += 1
                }
                guard written > 0 else { continue }
                vectors[first].iov_base = vectors[first].iov_base?.advanced(by: written)
                vectors[first].iov_len -= written
            }
        }
    }
}
