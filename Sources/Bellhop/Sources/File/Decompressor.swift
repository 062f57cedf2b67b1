import BellhopCore
import CCompression

/// Reads what is inside a `.gz` or `.zst` file.
final class Decompressor {
    private let state: OpaquePointer
    private let path: String
    private var input = [UInt8](repeating: 0, count: 64 * 1024)
    private var pending: Range<Int> = 0..<0
    /// Bytes to throw away first: an earlier run has read them.
    private var toSkip: Int64 = 0

    /// Nil for a file that is not compressed, by its suffix.
    init?(path: String) throws {
        guard path.hasSuffix(".gz") || path.hasSuffix(".zst") else { return nil }
        guard let state = bh_decompressor_create(path.hasSuffix(".zst")) else {
            throw SourceError("there is no memory to read \(path)")
        }
        self.state = state
        self.path = path
    }

    deinit { bh_decompressor_destroy(self.state) }

    func skip(_ count: Int64) { self.toSkip = count }

    /// - Returns: how many bytes are in the buffer; 0 at the end.
    /// - Throws: ``SourceError`` when the file cannot be read, is damaged, or ends too early.
    func read(from descriptor: Int32, into buffer: inout [UInt8]) throws -> Int {
        while true {
            let count = try self.next(from: descriptor, into: &buffer)
            guard self.toSkip > 0, count > 0 else { return count }
            let skipped = min(Int64(count), self.toSkip)
            self.toSkip -= skipped
            guard count > skipped else { continue }
            buffer.replaceSubrange(0..<count - Int(skipped), with: Array(buffer[Int(skipped)..<count]))
            return count - Int(skipped)
        }
    }

    private func next(from descriptor: Int32, into buffer: inout [UInt8]) throws -> Int {
        while true {
            var isEnd = false
            if self.pending.isEmpty {
                let count = try LineFile.read(descriptor, &self.input, self.path)
                self.pending = 0..<count
                isEnd = count == 0
            }
            var (taken, given) = (self.pending.count, buffer.count)
            let problem = self.input.withUnsafeBytes { input in
                buffer.withUnsafeMutableBytes { output in
                    bh_decompress(
                        self.state,
                        input.baseAddress?.advanced(by: self.pending.lowerBound),
                        &taken,
                        output.baseAddress,
                        &given
                    )
                }
            }
            if let problem { throw SourceError("\(self.path) is damaged: \(String(cString: problem))") }
            self.pending = self.pending.lowerBound + taken..<self.pending.upperBound
            if given > 0 { return given }
            guard isEnd else { continue }
            if bh_decompressor_is_whole(self.state) { return 0 }
            throw SourceError("\(self.path) ends in the middle of compressed data")
        }
    }
}
