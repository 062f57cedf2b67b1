import Synchronization

/// The wish to stop, which a signal or a component may have; said once, heard by the pipeline.
package final class Shutdown: Sendable {
    private let bell = Doorbell()
    private let reason = Mutex<String?>(nil)
    private let begun = Mutex(false)

    package init() {}

    /// - Parameter fault: why the pipeline cannot go on; nil where somebody simply wants it to stop.
    package func begin(fault: String? = nil) {
        self.reason.withLock { $0 = $0 ?? fault }
        self.begun.withLock { $0 = true }
        self.bell.ring()
    }

    package var fault: String? { self.reason.withLock { $0 } }
    package var hasBegun: Bool { self.begun.withLock { $0 } }

    /// Returns when somebody wants to stop, or when cancelled. For one reader.
    func wait() async {
        for await _ in self.bell.rings { return }
    }
}
