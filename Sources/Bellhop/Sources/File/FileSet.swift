import BellhopCore
import Foundation
import Logging

/// The files of one source: finds them, opens them, reads them one after the other, and keeps to them through rotation.
///
/// A rotated file is told by its inode: it is read to its end, and for a while longer, since its writer may not have
/// noticed yet. What was rotated away while nobody read is looked for beside the name (`name.1`, `name-2026…`).
actor FileSet {
    struct Settings: Sendable {
        /// A path, a pattern for glob(7), or `-`.
        let path: String
        let isFollowed: Bool

        var isPattern: Bool { self.path.contains { "*?[".contains($0) } }
    }

    enum Step: Sendable {
        /// Some lines of a file, and what is true once they are on disk.
        case lines([LineFile.Line], of: FileCheckpoint.File, FileCheckpoint)
        /// More is on its way: half a line has been read, or a pipe pauses.
        case unfinished
        /// There is nothing more at the moment.
        case caughtUp
    }

    private let executor = BlockingExecutor(label: "bellhop-read-files")
    private let settings: Settings
    private let logger: Logger
    private var checkpoint: FileCheckpoint
    private var open: [LineFile] = []
    /// When a file that no name leads to any more was found to have ended, in nanoseconds.
    private var endedAt: [ObjectIdentifier: Int64] = [:]
    private var hasOpenedInput = false

    /// How long a file is read after it has been rotated away.
    private static let grace: Int64 = 10_000_000_000
    /// Files are read in blocks of this many lines at most.
    private static let filesRemembered = 10_000

    nonisolated var unownedExecutor: UnownedSerialExecutor { self.executor.asUnownedSerialExecutor() }

    init(_ settings: Settings, from checkpoint: FileCheckpoint, logger: Logger) {
        self.settings = settings
        self.checkpoint = checkpoint
        self.logger = logger
    }

    /// Reads the next block of some file.
    /// - Throws: ``SourceError`` when one cannot be read.
    func next(now: Timestamp) throws -> Step {
        try self.look(now)
        for file in self.open {
            if file.wasCut { try self.begin(again: file, now) }
        }
        for file in self.open where !(file.isAtEnd && file.isFinite) {
            guard file.isReadable else { return .unfinished }
            let lines = try file.lines(isFollowed: self.settings.isFollowed)
            guard !lines.isEmpty else {
                if !file.isAtEnd { return .unfinished }
                continue
            }
            self.endedAt[ObjectIdentifier(file)] = nil
            self.checkpoint.update(file.checkpoint)
            return .lines(lines, of: file.checkpoint, self.checkpoint)
        }
        self.letGo(now)
        return .caughtUp
    }

    // MARK: - Finding files

    private func look(_ now: Timestamp) throws {
        if self.settings.path == "-" {
            guard !self.hasOpenedInput else { return }
            self.hasOpenedInput = true
            guard let identity = FileIdentity(descriptor: STDIN_FILENO) else { return }
            // Not from a checkpoint: what an earlier run read of its standard input is gone.
            self.open = [
                try LineFile(
                    path: "standard input",
                    descriptor: STDIN_FILENO,
                    identity: identity,
                    epoch: now.nanoseconds,
                    from: nil
                )
            ]
            return
        }
        var found = (self.settings.isPattern ? self.matches() : [self.settings.path]).compactMap { path in
            FileIdentity(path: path).map { (path: path, identity: $0) }
        }
        found.removeAll { self.isOpen($0.identity) }
        // What was written first is read first.
        found.sort { ($0.identity.modified, $0.path) < ($1.identity.modified, $1.path) }
        if self.settings.isFollowed, !self.settings.isPattern { found = try self.missed() + found }
        for (path, identity) in found { try self.add(path, identity, now) }
        if !self.settings.isPattern, self.open.isEmpty, self.checkpoint.files.isEmpty, !self.settings.isFollowed {
            throw SourceError("there is no file \(self.settings.path)")
        }
    }

    private func add(_ path: String, _ identity: FileIdentity, _ now: Timestamp) throws {
        var place = self.checkpoint[identity]
        if let read = place {
            let isCompressed = path.hasSuffix(".gz") || path.hasSuffix(".zst")
            if isCompressed ? read.isDone : !self.settings.isFollowed && identity.size == read.offset { return }
            // It was cut while nobody looked.
            if !isCompressed, identity.size < read.offset { place = nil }
        }
        // Non-blocking: a FIFO would wait for somebody to write.
        let descriptor = Foundation.open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else {
            throw SourceError("cannot open \(path): \(String(cString: strerror(errno)))")
        }
        let opened = FileIdentity(descriptor: descriptor) ?? identity
        // The name has passed to another file in between: the next look finds both, in their order.
        guard opened.device == identity.device, opened.inode == identity.inode, !self.isOpen(opened) else {
            close(descriptor)
            return
        }
        // The number of an inode may have passed to another file, too.
        if let read = place, !read.head.begins(descriptor) { place = nil }
        let file = try LineFile(
            path: path,
            descriptor: descriptor,
            identity: opened,
            epoch: now.nanoseconds,
            from: place
        )
        self.open.append(file)
        self.checkpoint.update(file.checkpoint)
    }

    /// Files that were rotated away while nobody read, oldest first: the one that was being read, and those after it.
    ///
    /// More than one may have come and gone between two looks.
    private func missed() throws -> [(path: String, identity: FileIdentity)] {
        guard let last = self.checkpoint.files.last(where: { !$0.isDone }) else { return [] }
        if let current = FileIdentity(path: self.settings.path), last.isSame(as: current) { return [] }
        let isOpen = self.open.contains { last.isSame(as: $0.identity) }
        let folder = (self.settings.path as NSString).deletingLastPathComponent
        let name = (self.settings.path as NSString).lastPathComponent
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.isEmpty ? "." : folder)) ?? []
        let siblings = names.filter { $0.hasPrefix(name + ".") || $0.hasPrefix(name + "-") }
            .map { folder.isEmpty ? $0 : "\(folder)/\($0)" }
            .compactMap { path in FileIdentity(path: path).map { (path: path, identity: $0) } }
            .sorted { ($0.identity.modified, $1.path) < ($1.identity.modified, $0.path) }
        if !isOpen, !siblings.contains(where: { last.isSame(as: $0.identity) }) {
            self.logger.warning(
                "the file that was being read is gone; what was not read of it is lost",
                metadata: [LogKeys.file: "\(last.path)"]
            )
            self.checkpoint.files.removeAll { $0 == last }
        }
        return siblings.filter { path, identity in
            if self.isOpen(identity) { return false }
            // Known and not done is what an earlier run was reading; unknown and younger what it never saw.
            return self.checkpoint[identity].map { !$0.isDone } ?? (identity.modified >= last.epoch)
        }
    }

    private func matches() -> [String] {
        var found = glob_t()
        defer { globfree(&found) }
        guard glob(self.settings.path, 0, nil, &found) == 0 else { return [] }
        return (0..<Int(found.gl_pathc)).compactMap { found.gl_pathv[$0].map { String(cString: $0) } }
    }

    // MARK: - Ends

    /// A file that was cut (copytruncate) begins again at its start.
    private func begin(again file: LineFile, _ now: Timestamp) throws {
        guard let index = self.open.firstIndex(where: { $0 === file }) else { return }
        self.logger.info("a file was cut and is read from its start again", metadata: [LogKeys.file: "\(file.path)"])
        self.open.remove(at: index)
        self.checkpoint.files.removeAll { $0.isSame(as: file.identity) }
        guard let identity = FileIdentity(path: file.path) else { return }
        try self.add(file.path, identity, now)
    }

    /// Closes files that no name leads to any more, some time after their end; and those that cannot grow.
    private func letGo(_ now: Timestamp) {
        for file in self.open where file.isAtEnd {
            if file.isFinite || !self.settings.isFollowed {
                self.finish(file)
                continue
            }
            let named = FileIdentity(path: file.path)
            let isNamed = named.map { $0.device == file.identity.device && $0.inode == file.identity.inode } ?? false
            let key = ObjectIdentifier(file)
            guard !isNamed else {
                self.endedAt[key] = nil
                continue
            }
            let ended = self.endedAt[key] ?? now.nanoseconds
            self.endedAt[key] = ended
            if now.nanoseconds - ended >= FileSet.grace { self.finish(file) }
        }
        if self.checkpoint.files.count > FileSet.filesRemembered {
            self.checkpoint.files.removeFirst(self.checkpoint.files.count - FileSet.filesRemembered)
        }
    }

    private func isOpen(_ identity: FileIdentity) -> Bool {
        self.open.contains { $0.identity.device == identity.device && $0.identity.inode == identity.inode }
    }

    private func finish(_ file: LineFile) {
        var done = file.checkpoint
        done.isDone = true
        self.checkpoint.update(done)
        self.endedAt[ObjectIdentifier(file)] = nil
        self.open.removeAll { $0 === file }
    }
}
