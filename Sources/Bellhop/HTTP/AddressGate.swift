import BellhopCore
import Foundation

/// Asks the network guard about addresses, and remembers the last answer: most requests go where the last one went.
// @unchecked: used by the loop thread alone.
final class AddressGate: @unchecked Sendable {
    private let guardian: NetworkGuard
    private var lastAdmitted: [CChar] = [0]

    init(_ guardian: NetworkGuard) {
        self.guardian = guardian
    }

    /// - Returns: the address and the rule that refuses it; nil where it may be connected to.
    func refusal(of address: IPAddress?) -> (address: String, rule: String)? {
        // Only IP goes over the network.
        guard let address else { return nil }
        guard let rule = self.guardian.refusal(of: address) else {
            self.lastAdmitted = address.description.utf8CString.map { $0 }
            return nil
        }
        return ("\(address)", rule)
    }

    func isLastAdmitted(_ text: UnsafePointer<CChar>) -> Bool { strcmp(text, self.lastAdmitted) == 0 }
}
