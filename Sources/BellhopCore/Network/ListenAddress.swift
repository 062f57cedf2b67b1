/// Where to wait for connections: `127.0.0.1:8088`, `[::1]:8088`, `localhost:8088`, `0.0.0.0:8088`.
package struct ListenAddress: Sendable, Hashable, CustomStringConvertible {
    /// An address without brackets, or a name.
    package let host: String
    /// 0 lets the system choose.
    package let port: Int

    /// Nil for anything else, also without a host: whether others can reach it is worth writing down.
    package init?(_ text: String) {
        guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]) else {
            return nil
        }
        var host = text[..<colon]
        if host.first == "[" {
            guard host.last == "]" else { return nil }
            host = host.dropFirst().dropLast()
            guard let address = IPAddress(host), !address.isV4 else { return nil }
        } else {
            let letters = host.utf8.allSatisfy { byte in
                (48...57).contains(byte) || (97...122).contains(byte | 0x20) || byte == 45 || byte == 46
            }
            guard letters, !host.isEmpty else { return nil }
        }
        (self.host, self.port) = (host.lowercased(), Int(port))
    }

    private init(host: String, port: Int) { (self.host, self.port) = (host, port) }

    /// Stands where an address was refused, until its error is told.
    package static let unknown = ListenAddress(host: "127.0.0.1", port: 0)

    /// The same host with the port that the system chose.
    package func on(_ port: Int) -> ListenAddress { ListenAddress(host: self.host, port: port) }

    package var description: String {
        self.host.contains(":") ? "[\(self.host)]:\(self.port)" : "\(self.host):\(self.port)"
    }

    /// Another address that cannot be listened on beside this one.
    package func overlaps(_ other: ListenAddress) -> Bool {
        guard self.port == other.port, self.port != 0, self != other else { return false }
        func isWide(_ host: String) -> Bool { host == "0.0.0.0" || host == "::" }
        return isWide(self.host) || isWide(other.host)
            || (self.host == "localhost" && other.isLoopback) || (other.host == "localhost" && self.isLoopback)
    }

    /// Only this machine can connect.
    package var isLoopback: Bool {
        if let address = IPAddress(self.host) {
            return address.isV4 ? address.bytes[0] == 127 : address == IPAddress("::1")
        }
        return self.host == "localhost"
    }
}
