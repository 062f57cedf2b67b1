/// Writes JSON text.
package enum JSONText {
    /// A string with its quotes: control characters, quotes and backslashes escaped (RFC 8259 §7), the rest as UTF-8.
    package static func string(_ text: String) -> String {
        var out: [UInt8] = []
        out.reserveCapacity(text.utf8.count + 2)
        self.append(text.utf8, to: &out)
        return String(decoding: out, as: UTF8.self)
    }

    static func append(_ utf8: some Sequence<UInt8>, to out: inout [UInt8]) {
        out.append(UInt8(ascii: "\""))
        let hex = Array("0123456789abcdef".utf8)
        for byte in utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"): out += [UInt8(ascii: "\\"), byte]
            case 0x0A: out += Array("\\n".utf8)
            case 0x0D: out += Array("\\r".utf8)
            case 0x09: out += Array("\\t".utf8)
            case 0..<0x20: out += Array("\\u00".utf8) + [hex[Int(byte >> 4)], hex[Int(byte & 15)]]
            default: out.append(byte)
            }
        }
        out.append(UInt8(ascii: "\""))
    }

    /// An object whose values are JSON already.
    package static func object(_ members: KeyValuePairs<String, String>) -> String {
        self.object(members.map { ($0.key, $0.value) })
    }

    /// An object whose values are JSON already; members without one are left out.
    package static func object(_ members: [(name: String, value: String?)]) -> String {
        let written = members.compactMap { name, value in value.map { "\(self.string(name)):\($0)" } }
        return "{" + written.joined(separator: ",") + "}"
    }

    package static func array(_ elements: some Sequence<String>) -> String {
        "[" + elements.joined(separator: ",") + "]"
    }
}
