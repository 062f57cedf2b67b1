import BellhopCore
import Foundation

/// Writes whole lines to a descriptor: all of them, or an error that says how many.
struct LineWriter {
    /// The error number of a write, and the lines that were written whole before it.
    struct Failure: Error {
        let number: Int32
        let linesWritten: Int
        /// What is missing of a line that was cut; empty where it ended with one.
        var rest: ArraySlice<UInt8> = []

        var reason: String { String(cString: strerror(self.number)) }
    }

    private var buffer: [UInt8] = []
    /// Where each line of the buffer ends.
    private var ends: [Int] = []

    var byteCount: Int { self.buffer.count }

    /// Adds an event as one line. Line breaks in JSON stand only between values, so blanks may take their place.
    mutating func add(_ event: Bytes) {
        let start = self.buffer.count
        event.withUnsafeBytes { self.buffer.append(contentsOf: $0) }
        for index in start..<self.buffer.count where self.buffer[index] == 10 || self.buffer[index] == 13 {
            self.buffer[index] = 32
        }
        self.buffer.append(10)
        self.ends.append(self.buffer.count)
    }

    /// - `patience`: how long a pipe that somebody has made non-blocking may have no room.
    ///
    /// - Throws: ``Failure``; what was written of a line that did not fit is for the caller to take back.
    func write(to descriptor: Int32, patience: Duration = .seconds(10)) throws(Failure) {
        var written = 0
        while written < self.buffer.count {
            let count = self.buffer.withUnsafeBytes { bytes in
                Foundation.write(descriptor, bytes.baseAddress?.advanced(by: written), bytes.count - written)
            }
            if count >= 0 {
                written += count
                continue
            }
            switch errno {
            case EINTR: continue
            case EAGAIN:
                var poll = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                guard Foundation.poll(&poll, 1, Int32(patience.milliseconds)) > 0 else {
                    throw self.failure(EAGAIN, written)
                }
            default:
                throw self.failure(errno, written)
            }
        }
    }

    /// Adds what is missing of a line that was cut.
    mutating func add(rest: ArraySlice<UInt8>) {
        self.buffer += rest
        self.ends.append(self.buffer.count)
    }

    private func failure(_ number: Int32, _ written: Int) -> Failure {
        let lines = self.ends.count { $0 <= written }
        let isCut = lines < self.ends.count && written > (lines > 0 ? self.ends[lines - 1] : 0)
        return Failure(number: number, linesWritten: lines, rest: isCut ? self.buffer[written..<self.ends[lines]] : [])
    }

    /// The verdicts for so many deliveries when a write ended in this failure.
    static func verdicts(_ count: Int, _ failure: Failure, _ reason: String) -> [Verdict] {
        (0..<count).map { $0 < failure.linesWritten ? .success("written") : .failure(.transient(reason: reason)) }
    }
}
