/// Writes JSON text.
package enum JSONText {
    /// A string with its quotes: control characters, quotes and backslashes escaped (RFC 8259 §7), the rest as UTF-8.
    package static func string(_ text: String) -> String {
        var out: [UInt8] = [UInt8(ascii: "\"")]
        out.reserveCapacity(text.utf8.count + 2)
        let hex = Array("0123456789abcdef".utf8)
        for byte in text.utf8 {
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
        return String(decoding: out, as: UTF8.self)
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

extension JSON {
    /// The value as compact JSON; numbers keep their value, not their spelling.
    package var json: String {
        switch self.kind {
        case .object:
            var members: [String] = []
            self.forEachMember { name, value in
                members.append("\(JSONText.string(name)):\(value.json)")
                return true
            }
            return "{" + members.joined(separator: ",") + "}"
        case .array:
            var elements: [String] = []
            self.forEachElement { element in
                elements.append(element.json)
                return true
            }
            return JSONText.array(elements)
        case .string: return JSONText.string(self.leaf.text)
        case .null: return "null"
        case .bool, .number: return self.leaf.text
        }
    }
}
