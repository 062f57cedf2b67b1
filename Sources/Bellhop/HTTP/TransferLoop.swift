import BellhopCore
import CCurl
import Foundation
import Synchronization

/// libcurl's multi handle, and the one thread that uses it. libcurl allows only its wake-up from other threads, so
/// transfers are handed over in a queue, which is bounded by its callers: each waits for its answer.
///
/// The thread is also an executor: tasks that do little but send prefer it, and each answer leads to the next request
/// without a change of threads. They must not block.
// @unchecked: `multi` is used by the loop thread alone, but for the wake-up; everything else is inside the mutex.
final class TransferLoop: TaskExecutor, @unchecked Sendable {
    let gate: AddressGate
    private let multi: OpaquePointer
    private let inbox = Mutex(Inbox())

    private struct Inbox {
        var starting: [Transfer] = []
        var cancelling: [Transfer] = []
        var jobs: [UnownedJob] = []
        var isClosing = false
        var isStarted = false
        /// The loop sleeps, or is about to; otherwise it looks into the inbox before it does.
        var isAsleep = false

        var isEmpty: Bool { self.starting.isEmpty && self.cancelling.isEmpty && self.jobs.isEmpty && !self.isClosing }
    }

    init(connections: Int, guardian: NetworkGuard) {
        self.gate = AddressGate(guardian)
        bh_global_init()
        guard let multi = bh_multi_create(connections) else {
            preconditionFailure("libcurl has no memory for a multi handle")
        }
        self.multi = multi
    }

    /// False when the loop is closed, and nobody will see the transfer.
    func start(_ transfer: Transfer) -> Bool { self.hand { $0.starting.append(transfer) } }

    func cancel(_ transfer: Transfer) { _ = self.hand { $0.cancelling.append(transfer) } }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        // Tasks outlive the loop where somebody closes it early; they end elsewhere.
        if !self.hand({ $0.jobs.append(job) }) {
            DispatchQueue.global().async { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
        }
    }

    /// Ends the thread; transfers still under way fail as cancelled.
    func close() { _ = self.hand { $0.isClosing = true } }

    private func hand(_ change: (inout Inbox) -> Void) -> Bool {
        self.inbox.withLock { inbox in
            guard !inbox.isClosing else { return false }
            change(&inbox)
            if inbox.isStarted {
                guard inbox.isAsleep else { return true }
                inbox.isAsleep = false
                // Inside the lock: the loop sees `isClosing` under it, and frees the handle only afterwards.
                bh_multi_wakeup(self.multi)
            } else {
                inbox.isStarted = true
                let thread = Thread { self.loop() }
                thread.name = "bellhop-http"
                thread.stackSize = 1024 * 1024
                thread.start()
            }
            return true
        }
    }

    private func loop() {
        var active: [OpaquePointer: Transfer] = [:]
        var idle: [OpaquePointer] = []
        defer {
            for easy in idle { bh_easy_destroy(easy) }
            bh_multi_destroy(self.multi)
        }
        while true {
            let inbox = self.inbox.withLock { inbox in
                defer {
                    inbox.starting.removeAll(keepingCapacity: true)
                    inbox.cancelling.removeAll(keepingCapacity: true)
                    inbox.jobs.removeAll(keepingCapacity: true)
                }
                return inbox
            }
            for job in inbox.jobs { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
            for transfer in inbox.starting {
                guard !transfer.isCancelled else {
                    transfer.finish(.failure(.cancelled(sent: false)))
                    continue
                }
                guard let easy = idle.popLast() ?? bh_easy_create() else {
                    transfer.finish(.failure(.noAnswer(host: transfer.host, reason: "libcurl has no memory")))
                    continue
                }
                transfer.prepare(easy)
                active[easy] = transfer
                bh_multi_add(self.multi, easy)
            }
            func end(_ easy: OpaquePointer, _ result: (Transfer) -> Result<HTTPResponse, HTTPError>) {
                guard let transfer = active.removeValue(forKey: easy) else { return }
                let outcome = result(transfer)
                bh_multi_remove(self.multi, easy)
                bh_easy_reset(easy)
                idle.append(easy)
                transfer.finish(outcome)
            }
            for transfer in inbox.isClosing ? Array(active.values) : inbox.cancelling {
                // Cancelled before it was handed over: it is not active, and its start sees the flag.
                guard let easy = transfer.easy else {
                    transfer.isCancelled = true
                    continue
                }
                end(easy) { .failure(.cancelled(sent: $0.hasLeft)) }
            }
            if inbox.isClosing { return }
            // Jobs lead to requests, which belong to the same round.
            if !inbox.jobs.isEmpty, self.inbox.withLock({ !$0.isEmpty }) { continue }
            var running: Int32 = 0
            bh_multi_perform(self.multi, &running)
            var code = CURLE_OK
            while let easy = bh_multi_finished(self.multi, &code) {
                end(easy) { $0.result(code, easy) }
            }
            let mayRest = self.inbox.withLock { inbox in
                inbox.isAsleep = inbox.isEmpty
                return inbox.isAsleep
            }
            guard mayRest else { continue }
            // Without transfers only a wake-up can bring work.
            bh_multi_poll(self.multi, running == 0 ? 60_000 : 1000)
            self.inbox.withLock { $0.isAsleep = false }
        }
    }
}
