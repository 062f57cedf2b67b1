import BellhopCore
import Foundation

/// Where a file source left off in each of its files, as the checkpoint's text.
struct FileCheckpoint: Codable, Hashable {
    /// One file, known by what the file system calls it: a name may pass to another file.
    struct File: Codable, Hashable {
        let path: String
        let device: UInt64
        let inode: UInt64
        /// When it was first seen, in nanoseconds since 1970.
        let epoch: Int64
        /// Of its first bytes: the number of an inode is given out again.
        var head = FileHead()
        /// Bytes of whole lines that have been read; of a compressed file, of what is inside.
        var offset: Int64
        /// Lines before the offset.
        var line: Int64
        /// It was rotated away and read to its end.
        var isDone = false

        func isSame(as other: FileIdentity) -> Bool { self.device == other.device && self.inode == other.inode }
    }

    /// The oldest first.
    var files: [File] = []

    init() {}

    /// - Returns: nil for a text that is none.
    init?(_ text: String) {
        guard let read = try? JSONDecoder().decode(FileCheckpoint.self, from: Data(text.utf8)) else { return nil }
        self = read
    }

    var text: String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return (try? encoder.encode(self)).map { String(decoding: $0, as: UTF8.self) } ?? "{\"files\":[]}"
    }

    subscript(identity: FileIdentity) -> File? { self.files.first { $0.isSame(as: identity) } }

    mutating func update(_ file: File) {
        if let index = self.files.firstIndex(where: { $0.device == file.device && $0.inode == file.inode }) {
            self.files[index] = file
        } else {
            self.files.append(file)
        }
    }
}

/// What the first bytes of a file are, so that another file with its number is told from it.
struct FileHead: Codable, Hashable {
    private(set) var length = 0
    private var digest: UInt64 = 0

    private static let limit = 256

    init() {}

    /// Of a file, as far as it has been read.
    init(_ descriptor: Int32, upTo count: Int64) {
        guard count > 0 else { return }
        var bytes = [UInt8](repeating: 0, count: Int(min(count, Int64(FileHead.limit))))
        let read = bytes.withUnsafeMutableBytes { pread(descriptor, $0.baseAddress, $0.count, 0) }
        guard read == bytes.count else { return }
        self.length = bytes.count
        self.digest = FNV1a(bytes).value
    }

    /// More of the file would tell more.
    var isShort: Bool { self.length < FileHead.limit }

    /// Whether the file begins with these bytes.
    func begins(_ descriptor: Int32) -> Bool { FileHead(descriptor, upTo: Int64(self.length)) == self }
}

/// A file as the file system knows it.
struct FileIdentity: Hashable {
    let device: UInt64
    let inode: UInt64
    /// False for pipes and terminals, which have no size and no place to go on from.
    let isRegular: Bool
    let size: Int64
    /// In nanoseconds since 1970.
    let modified: Int64

    init(_ status: stat) {
        self.device = UInt64(status.st_dev)
        self.inode = UInt64(status.st_ino)
        self.isRegular = status.st_mode & S_IFMT == S_IFREG
        self.size = Int64(status.st_size)
        self.modified = Int64(status.st_mtim.tv_sec) * 1_000_000_000 + Int64(status.st_mtim.tv_nsec)
    }

    /// Nil where there is no such file, or it is a folder.
    init?(path: String) {
        var status = stat()
        guard stat(path, &status) == 0, status.st_mode & S_IFMT != S_IFDIR else { return nil }
        self.init(status)
    }

    init?(descriptor: Int32) {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { return nil }
        self.init(status)
    }
}
