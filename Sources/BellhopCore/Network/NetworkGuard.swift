/// Which addresses may be connected to, whatever name led there: `network: { deny: [metadata], allow: [] }`.
///
/// Asked about the address itself when a connection is made and when it is used again, so no redirect, DNS answer or odd
/// spelling gets around it.
package struct NetworkGuard: Sendable, Hashable {
    /// Ranges with a name, from the IANA special-purpose registries.
    package enum Group: String, Sendable, CaseIterable {
        /// Link-local addresses, where clouds keep the keys of their machines, and the other places they do.
        case metadata
        /// RFC 1918, unique local IPv6 and carrier-grade NAT.
        case `private`
        case loopback

        var ranges: [AddressRange] {
            let texts =
                switch self {
                case .metadata:
                    // Beyond link-local: Azure's wire server, Alibaba's, Oracle's and Amazon's and Google's for IPv6.
                    [
                        "169.254.0.0/16", "fe80::/10", "168.63.129.16", "100.100.100.200", "192.0.0.192",
                        "fd00:ec2::/32", "fd20:ce::254",
                    ]
                case .private:
                    ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7", "fec0::/10"]
                // Linux connects 0.0.0.0 and :: to itself.
                case .loopback: ["127.0.0.0/8", "0.0.0.0/8", "::1", "::"]
                }
            return texts.compactMap { AddressRange($0) }
        }
    }

    private let denied: [(name: String, ranges: [AddressRange])]
    private let allowed: [AddressRange]

    /// What holds without configuration.
    package static let `default` = NetworkGuard(deny: [.metadata], ranges: [], allow: [])

    package init(deny groups: Set<Group>, ranges: [AddressRange], allow: [AddressRange]) {
        // Those that clouds use lie inside the private ranges too, and say more.
        let sorted = groups.union([.metadata]).sorted { $0.rawValue < $1.rawValue }
        self.denied = sorted.map { ($0.rawValue, $0.ranges) } + ranges.map { ("\($0)", [$0]) }
        self.allowed = allow
    }

    /// `network: { deny: [metadata, private, 203.0.113.0/24], allow: [10.1.2.0/24] }`
    package init(_ options: OptionReader) {
        var groups: Set<Group> = []
        var ranges: [AddressRange] = []
        var allowed: [AddressRange] = []
        for key in ["deny", "allow"] {
            for element in options.optional(key)?.elementsOrSelf ?? [] {
                let text = element.text ?? ""
                if let group = Group(rawValue: text) {
                    if key == "deny" { groups.insert(group) } else { allowed += group.ranges }
                } else if let range = AddressRange(text) {
                    if key == "deny" { ranges.append(range) } else { allowed.append(range) }
                } else {
                    let names = Group.allCases.map(\.rawValue)
                    let near = Spelling.nearest(to: text, among: names).map { "; did you mean '\($0)'?" } ?? ""
                    options.error(
                        "'\(key)' holds \(names.joined(separator: ", ")), addresses and ranges like 10.0.0.0/8 (no bits "
                            + "behind the prefix), not \(element.shown)\(near)",
                        element
                    )
                }
            }
        }
        options.finish()
        self.init(deny: groups, ranges: ranges, allow: allowed)
    }

    /// Nil where the address may be connected to; otherwise the name of what refuses it.
    package func refusal(of address: IPAddress) -> String? {
        for address in [address, address.embeddedV4].compactMap({ $0 }) {
            if self.allowed.contains(where: { $0.contains(address) }) { continue }
            if let found = self.denied.first(where: { $0.ranges.contains { $0.contains(address) } }) {
                return found.name
            }
        }
        return nil
    }

    package static func == (left: NetworkGuard, right: NetworkGuard) -> Bool {
        left.allowed == right.allowed && left.denied.map(\.name) == right.denied.map(\.name)
    }

    package func hash(into hasher: inout Hasher) { hasher.combine(self.denied.map(\.name)) }
}
