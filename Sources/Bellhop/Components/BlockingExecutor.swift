import Dispatch

/// Runs an actor on a queue of its own, so that a disk or pipe that makes it wait holds up nobody else: Swift's shared
/// threads are as few as the cores.
final class BlockingExecutor: SerialExecutor {
    let queue: DispatchQueue

    init(label: String) {
        self.queue = DispatchQueue(label: label)
    }

    /// What runs on the queue outside of a job, like a timer, is isolated too.
    func checkIsolated() { dispatchPrecondition(condition: .onQueue(self.queue)) }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        self.queue.async { job.runSynchronously(on: self.asUnownedSerialExecutor()) }
    }
}
