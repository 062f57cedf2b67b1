import BellhopCore
import Foundation

/// What this process uses of the machine (proc(5)).
package struct ProcessUse: Sendable {
    /// User and system time.
    package let cpu: Duration
    /// Bytes that are resident.
    package let memory: Int64
    package let descriptors: Int
    package let started: Timestamp

    package static func current(started: Timestamp) -> ProcessUse {
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        let times = [usage.ru_utime, usage.ru_stime]
        let cpu = times.reduce(Duration.zero) { $0 + .seconds($1.tv_sec) + .microseconds($1.tv_usec) }
        let pages = (try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8))?.split(separator: " ")
        let descriptors = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count) ?? 0
        return ProcessUse(
            cpu: cpu,
            memory: (pages.flatMap { $0.count > 1 ? Int64($0[1]) : nil } ?? 0) * Int64(sysconf(Int32(_SC_PAGESIZE))),
            descriptors: descriptors,
            started: started
        )
    }
}
