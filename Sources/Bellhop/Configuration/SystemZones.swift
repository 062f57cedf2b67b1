import BellhopCore
import Foundation
import Synchronization

extension Zones {
    /// The machine's tz database (the package tzdata), or that of the environment's `TZDIR`.
    package static let system = Zones { SystemZones.shared.zone($0) }
}

/// Reads each zone's file once.
private final class SystemZones: Sendable {
    static let shared = SystemZones()

    private let known = Mutex<[String: Zone]>([:])

    func zone(_ name: String) -> Zone? {
        // A name is a path below the database, and must stay there.
        let isName = name.utf8.allSatisfy { byte in
            byte < 128 && (Character(Unicode.Scalar(byte)).isLetter || Character(Unicode.Scalar(byte)).isNumber)
                || "_-+/".utf8.contains(byte)
        }
        guard isName, !name.isEmpty, !name.hasPrefix("/"), name.utf8.count < 100 else { return nil }
        return self.known.withLock { known in
            if let zone = known[name] { return zone }
            let folder = ProcessInfo.processInfo.environment["TZDIR"] ?? "/usr/share/zoneinfo"
            guard let data = FileManager.default.contents(atPath: "\(folder)/\(name)"),
                let zone = try? Zone(name: name, tzif: Array(data))
            else { return nil }
            known[name] = zone
            return zone
        }
    }
}
