import BellhopCore
import Foundation

/// Makes one process the owner of a data folder. The kernel gives the lock back however the process ends.
package final class OwnerLock: Sendable {
    private let descriptor: Int32

    /// - Throws: ``SpoolError/inUse(folder:owner:)`` naming the owner.
    package init(folder: String, startedAt: Timestamp) throws {
        let path = "\(folder)/lock"
        let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw SpoolError.notWritable(path: path, reason: String(cString: strerror(errno)))
        }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            let reason = errno
            defer { _ = Foundation.close(descriptor) }
            guard reason == EWOULDBLOCK else {
                throw SpoolError.notWritable(path: path, reason: String(cString: strerror(reason)))
            }
            throw SpoolError.inUse(folder: folder, owner: OwnerLock.owner(descriptor))
        }
        ftruncate(descriptor, 0)
        let text = "process \(getpid()), started \(startedAt.formatted(.seconds))\n"
        _ = text.utf8.withContiguousStorageIfAvailable { pwrite(descriptor, $0.baseAddress, $0.count, 0) }
        self.descriptor = descriptor
    }

    deinit { _ = Foundation.close(self.descriptor) }

    private static func owner(_ descriptor: Int32) -> String {
        let text = withUnsafeTemporaryAllocation(byteCount: 200, alignment: 1) { buffer in
            let count = pread(descriptor, buffer.baseAddress, buffer.count, 0)
            return String(decoding: buffer.prefix(max(0, count)), as: UTF8.self)
        }
        let owner = text.prefix { $0 != "\n" }
        return owner.isEmpty ? "of unknown process" : String(owner)
    }
}
