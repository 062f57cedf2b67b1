/// An IPv4 or IPv6 address. An IPv4 address that is written or carried as IPv6 (`::ffff:10.0.0.1`) is the same address.
package struct IPAddress: Sendable, Hashable {
    /// 4 or 16.
    package let bytes: [UInt8]

    /// - `bytes`: in network order; nil for another count than 4 or 16.
    package init?(bytes: [UInt8]) {
        switch bytes.count {
        case 4: self.bytes = bytes
        case 16:
            // RFC 4291 §2.5.5.2.
            let isMapped = bytes[..<10].allSatisfy { $0 == 0 } && bytes[10] == 0xFF && bytes[11] == 0xFF
            self.bytes = isMapped ? Array(bytes[12...]) : bytes
        default: return nil
        }
    }

    /// Dotted decimal with four parts, or RFC 4291 §2.2; a zone (`%eth0`) is left out. Nil for anything else, also for
    /// what resolvers take for IPv4 (`127.1`, `0x7f.1`).
    package init?(_ text: some StringProtocol) {
        let text = text.prefix { $0 != "%" }
        guard let bytes = text.contains(":") ? IPAddress.v6(String(text)) : IPAddress.v4(String(text)) else {
            return nil
        }
        self.init(bytes: bytes)
    }

    package var isV4: Bool { self.bytes.count == 4 }

    /// The IPv4 address that an IPv6 address leads to through a translator or tunnel: NAT64 (RFC 6052), 6to4 (RFC 3056)
    /// and IPv4-compatible addresses (RFC 4291 §2.5.5.1).
    package var embeddedV4: IPAddress? {
        guard !self.isV4 else { return nil }
        if self.bytes[0] == 0x20, self.bytes[1] == 0x02 { return IPAddress(bytes: Array(self.bytes[2..<6])) }
        let isNAT64 = self.bytes[..<12] == [0, 0x64, 0xFF, 0x9B, 0, 0, 0, 0, 0, 0, 0, 0]
        // `::` and `::1` are addresses of their own.
        let isCompatible = self.bytes[..<12].allSatisfy { $0 == 0 } && self.bytes[12..<15].contains { $0 != 0 }
        return isNAT64 || isCompatible ? IPAddress(bytes: Array(self.bytes[12...])) : nil
    }

    private static func v4(_ text: String) -> [UInt8]? {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 4 else { return nil }
        let bytes = parts.compactMap { part in
            // A leading zero means octal to some readers.
            part.count > 1 && part.first == "0" || part.first == "+" || part.first == "-" ? nil : UInt8(part)
        }
        return bytes.count == 4 ? bytes : nil
    }

    private static func v6(_ text: String) -> [UInt8]? {
        var text = text
        // A dotted end stands for the last two groups.
        if let colon = text.lastIndex(of: ":"), text[colon...].contains(".") {
            guard let end = self.v4(String(text[text.index(after: colon)...])) else { return nil }
            func hex(_ high: UInt8, _ low: UInt8) -> String { String(UInt16(high) << 8 | UInt16(low), radix: 16) }
            text = text[...colon] + hex(end[0], end[1]) + ":" + hex(end[2], end[3])
        }
        func groups(_ text: Substring) -> [UInt8]? {
            guard !text.isEmpty else { return [] }
            var bytes: [UInt8] = []
            for part in text.split(separator: ":", omittingEmptySubsequences: false) {
                guard (1...4).contains(part.count), part.allSatisfy(\.isHexDigit), let group = UInt16(part, radix: 16)
                else { return nil }
                bytes += [UInt8(group >> 8), UInt8(group & 0xFF)]
            }
            return bytes
        }
        guard let gap = text.firstRange(of: "::") else {
            return groups(text[...]).flatMap { $0.count == 16 ? $0 : nil }
        }
        guard let start = groups(text[..<gap.lowerBound]), let end = groups(text[gap.upperBound...]),
            start.count + end.count <= 14
        else { return nil }
        return start + [UInt8](repeating: 0, count: 16 - start.count - end.count) + end
    }
}

extension IPAddress: CustomStringConvertible {
    package var description: String {
        if self.isV4 { return self.bytes.map(String.init).joined(separator: ".") }
        let groups = stride(from: 0, to: 16, by: 2).map { UInt16(self.bytes[$0]) << 8 | UInt16(self.bytes[$0 + 1]) }
        // RFC 5952: the longest run of zero groups, the first of equals, at least two.
        var best = 0..<0
        var start = 0
        while start < 8 {
            let run = groups[start...].prefix { $0 == 0 }.count
            if run > max(best.count, 1) { best = start..<(start + run) }
            start += max(run, 1)
        }
        func text(_ groups: ArraySlice<UInt16>) -> String {
            groups.map { String($0, radix: 16) }.joined(separator: ":")
        }
        return best.isEmpty
            ? text(groups[...]) : text(groups[..<best.lowerBound]) + "::" + text(groups[best.upperBound...])
    }
}

/// A range of addresses in CIDR notation (RFC 4632): `10.0.0.0/8`, `fd00::/8`; an address alone is a range of one.
package struct AddressRange: Sendable, Hashable, CustomStringConvertible {
    private let start: IPAddress
    private let length: Int

    /// Nil where it is none, also where bits behind the prefix are set: somebody meant another range.
    package init?(_ text: some StringProtocol) {
        self.init(masking: text)
        let start = text.split(separator: "/", omittingEmptySubsequences: false).first.flatMap { IPAddress($0) }
        guard start == self.start else { return nil }
    }

    /// As EventBridge reads it: bits behind the prefix do not matter.
    package init?(masking text: some StringProtocol) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count <= 2, let start = IPAddress(parts[0]) else { return nil }
        var length = start.bytes.count * 8
        if parts.count == 2 {
            guard parts[1].allSatisfy({ $0.isASCII && $0.isNumber }), let written = Int(parts[1]) else { return nil }
            // `::ffff:10.0.0.0/104` is written in IPv6's bits.
            let isMapped = start.isV4 && parts[0].contains(":")
            length = isMapped ? written - 96 : written
        }
        guard (0...start.bytes.count * 8).contains(length) else { return nil }
        guard let first = IPAddress(bytes: AddressRange.cut(start.bytes, to: length)) else { return nil }
        self.start = first
        self.length = length
    }

    package func contains(_ address: IPAddress) -> Bool {
        address.bytes.count == self.start.bytes.count
            && AddressRange.cut(address.bytes, to: self.length) == self.start.bytes
    }

    package var description: String { "\(self.start)/\(self.length)" }

    private static func cut(_ bytes: [UInt8], to length: Int) -> [UInt8] {
        bytes.enumerated()
            .map { index, byte in
                let bits = min(max(length - index * 8, 0), 8)
                return bits == 8 ? byte : byte & ~(UInt8.max >> UInt8(bits))
            }
    }
}
