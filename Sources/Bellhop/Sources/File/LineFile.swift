import BellhopCore
import Foundation

/// One open file of lines, read from an offset on.
final class LineFile {
    let path: String
    let identity: FileIdentity
    let epoch: Int64
    /// Of whole lines that were given out.
    private(set) var offset: Int64
    private(set) var line: Int64
    /// It cannot grow: nothing comes behind its end.
    let isFinite: Bool
    private let descriptor: Int32
    private let decompressor: Decompressor?
    /// The start of a line whose end has not been read.
    private var rest: [UInt8] = []
    private var head: FileHead
    /// Of a line too long to keep: what comes until its end belongs to it.
    private var skipped: Int64 = 0
    private(set) var isAtEnd = false

    /// Longer lines are rejected, with their start.
    static let lineLimit = 8 << 20
    private static let blockSize = 256 * 1024
    /// Milliseconds.
    private static let pipePatience: Int32 = 200

    /// - `descriptor`: becomes this object's own.
    /// - `from`: where an earlier run left off.
    init(path: String, descriptor: Int32, identity: FileIdentity, epoch: Int64, from place: FileCheckpoint.File?) throws
    {
        self.path = path
        self.descriptor = descriptor
        self.identity = identity
        self.epoch = place?.epoch ?? epoch
        self.head = place?.head ?? FileHead()
        self.offset = place?.offset ?? 0
        self.line = place?.line ?? 0
        self.decompressor = try Decompressor(path: path)
        self.isFinite = self.decompressor != nil
        if let decompressor = self.decompressor {
            decompressor.skip(self.offset)
        } else if self.offset > 0 {
            lseek(descriptor, off_t(self.offset), SEEK_SET)
        }
    }

    deinit { if self.descriptor > 2 { close(self.descriptor) } }

    var checkpoint: FileCheckpoint.File {
        if self.head.isShort, self.descriptor > 2, self.decompressor == nil, self.offset > self.head.length {
            self.head = FileHead(self.descriptor, upTo: self.offset)
        }
        return FileCheckpoint.File(
            path: self.path,
            device: self.identity.device,
            inode: self.identity.inode,
            epoch: self.epoch,
            head: self.head,
            offset: self.offset,
            line: self.line
        )
    }

    /// Whether it is shorter than what was read of it: somebody has cut it (copytruncate).
    var wasCut: Bool {
        guard self.identity.isRegular, self.decompressor == nil, let now = FileIdentity(descriptor: self.descriptor)
        else { return false }
        return now.size < self.offset + Int64(self.rest.count)
    }

    /// A whole line, or as much of one as is kept.
    struct Line {
        let data: Bytes
        let offset: Int64
        /// From 1.
        let number: Int64
        let isTooLong: Bool
    }

    /// Whether a read would not wait. A pipe is waited for a moment, so that whoever wants to stop is heard.
    var isReadable: Bool {
        if self.identity.isRegular { return true }
        var poll = pollfd(fd: self.descriptor, events: Int16(POLLIN), revents: 0)
        return Foundation.poll(&poll, 1, LineFile.pipePatience) > 0
    }

    /// Reads a block and gives out the lines it completes; none at the end. At the end of a file that is not followed,
    /// a last line need not end in a line break.
    ///
    /// - Throws: ``SourceError`` when it cannot be read.
    func lines(isFollowed: Bool) throws -> [Line] {
        var buffer = [UInt8](repeating: 0, count: LineFile.blockSize)
        let count = try self.read(into: &buffer)
        var found: [Line] = []
        guard count > 0 else {
            self.isAtEnd = true
            if !isFollowed || self.isFinite, !self.rest.isEmpty || self.skipped > 0 { found.append(self.take(end: 0)) }
            return found
        }
        self.isAtEnd = false
        var start = 0
        while let newline = buffer[start..<count].firstIndex(of: 10) {
            if self.skipped == 0 { self.rest += buffer[start..<newline] }
            found.append(self.take(end: self.skipped > 0 ? Int64(newline - start) + 1 : 1))
            start = newline + 1
        }
        if self.skipped > 0 {
            self.skipped += Int64(count - start)
        } else {
            self.rest += buffer[start..<count]
            // Its start is kept, the rest only counted.
            if self.rest.count > LineFile.lineLimit {
                self.skipped = Int64(self.rest.count)
                self.rest.removeSubrange(4096...)
            }
        }
        return found
    }

    /// The line in `rest`, whose end takes so many more bytes.
    private func take(end: Int64) -> Line {
        let length = (self.skipped > 0 ? self.skipped : Int64(self.rest.count)) + end
        let text = self.rest.last == 13 ? self.rest.dropLast() : self.rest[...]
        self.line += 1
        let line = Line(
            data: text.withUnsafeBytes { Bytes(copying: $0) },
            offset: self.offset,
            number: self.line,
            isTooLong: self.skipped > 0
        )
        self.offset += length
        self.rest.removeAll(keepingCapacity: self.rest.capacity < 1 << 20)
        self.skipped = 0
        return line
    }

    private func read(into buffer: inout [UInt8]) throws -> Int {
        if let decompressor { return try decompressor.read(from: self.descriptor, into: &buffer) }
        return try LineFile.read(self.descriptor, &buffer, self.path)
    }

    static func read(_ descriptor: Int32, _ buffer: inout [UInt8], _ path: String) throws -> Int {
        while true {
            let count = buffer.withUnsafeMutableBytes { Foundation.read(descriptor, $0.baseAddress, $0.count) }
            if count >= 0 { return count }
            guard errno == EINTR else {
                throw SourceError("cannot read \(path): \(String(cString: strerror(errno)))")
            }
        }
    }
}
