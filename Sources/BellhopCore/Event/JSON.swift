import CSimdjson

/// Parses JSON, one document at a time, without building a tree of Swift values.
///
/// Holds buffers that the next document reuses, so it belongs to one task or thread.
package final class JSONParser {
    private let parser: OpaquePointer

    package init() {
        self.parser = bh_parser_create()
    }

    deinit { bh_parser_destroy(self.parser) }

    /// Parses `bytes` and lends the document for the length of the call.
    /// - Throws: ``JSONError`` when any part of the document is not valid JSON.
    package func parse<Result>(_ bytes: Bytes, _ body: (JSON) throws -> Result) throws -> Result {
        try withExtendedLifetime(bytes) {
            try body(try self.parse(start: bytes.unsafeStart, count: bytes.count))
        }
    }

    /// Parses bytes that are followed by ``Bytes/padding`` readable ones. The document is valid until the next.
    package func parse(start: UnsafeRawPointer, count: Int) throws(JSONError) -> JSON {
        var root = bh_json()
        let error = bh_parse(self.parser, start.assumingMemoryBound(to: CChar.self), count, &root)
        guard error == 0 else { throw JSONError(reason: String(cString: bh_error_message(error))) }
        return JSON(raw: root)
    }
}

package struct JSONError: Error, Hashable, CustomStringConvertible {
    package let reason: String
    package var description: String { "not valid JSON (\(self.reason))" }
}

/// One value of the document that a ``JSONParser`` read last; must not outlive it.
package struct JSON {
    fileprivate let raw: bh_json

    package enum Kind { case null, bool, number, string, array, object }

    package var kind: Kind {
        switch bh_read(self.raw).kind {
        case BH_OBJECT: .object
        case BH_ARRAY: .array
        case BH_STRING: .string
        case BH_BOOL: .bool
        case BH_NULL: .null
        default: .number
        }
    }

    /// The leaf that stands here; for an array or object a leaf that is ``JSONLeaf/isAbsent``.
    package var leaf: JSONLeaf { JSONLeaf(raw: bh_read(self.raw)) }

    /// The member of an object; the last one, where a name stands twice.
    package subscript(name: String) -> JSON? {
        var name = name
        var member = bh_json()
        let found = name.withUTF8 { utf8 in
            utf8.withMemoryRebound(to: CChar.self) { bh_member(self.raw, $0.baseAddress, $0.count, &member) }
        }
        return found ? JSON(raw: member) : nil
    }

    /// The value at a path of member names; nil when it is not there.
    package subscript(path: FieldPath) -> JSON? {
        var value = self
        for name in path.names {
            guard let member = value[name] else { return nil }
            value = member
        }
        return value
    }

    /// Calls `body` with each element of an array, until it returns false.
    package func forEachElement(_ body: (JSON) throws -> Bool) rethrows {
        try self.forEachMember { _, element in try body(element) }
    }

    /// Calls `body` with each member of an object (or element of an array, its name then empty), until it returns false.
    package func forEachMember(_ body: (String, JSON) throws -> Bool) rethrows {
        var iterator = bh_iterate(self.raw)
        var key: UnsafePointer<CChar>?
        var length = 0
        var member = bh_json()
        while bh_next(&iterator, &key, &length, &member) {
            let bytes = UnsafeRawBufferPointer(start: key, count: iterator.object ? length : 0)
            let name = String(decoding: bytes, as: UTF8.self)
            guard try body(name, JSON(raw: member)) else { return }
        }
    }

    /// The value as compact JSON; numbers keep their value, not their spelling.
    ///
    /// Without recursion: documents nest 1,024 deep, and threads that send have small stacks.
    package var json: String {
        var out: [UInt8] = []
        var open: [(iterator: bh_iterator, isFirst: Bool)] = []
        func begin(_ value: JSON) {
            switch value.kind {
            case .object, .array:
                let iterator = bh_iterate(value.raw)
                out.append(UInt8(ascii: iterator.object ? "{" : "["))
                open.append((iterator, true))
            case .string: JSONText.append(value.leaf.utf8 ?? UnsafeRawBufferPointer(start: nil, count: 0), to: &out)
            case .null: out += Array("null".utf8)
            case .bool, .number: out += Array(value.leaf.text.utf8)
            }
        }
        begin(self)
        while !open.isEmpty {
            let last = open.count - 1
            var key: UnsafePointer<CChar>?
            var length = 0
            var member = bh_json()
            guard bh_next(&open[last].iterator, &key, &length, &member) else {
                out.append(UInt8(ascii: open[last].iterator.object ? "}" : "]"))
                open.removeLast()
                continue
            }
            if !open[last].isFirst { out.append(UInt8(ascii: ",")) }
            open[last].isFirst = false
            if open[last].iterator.object {
                JSONText.append(UnsafeRawBufferPointer(start: key, count: length), to: &out)
                out.append(UInt8(ascii: ":"))
            }
            begin(JSON(raw: member))
        }
        return String(decoding: out, as: UTF8.self)
    }

    func extract(_ tree: FieldTree, into values: UnsafeMutablePointer<bh_value>) {
        tree.withUnsafeTree { nodes, edges in bh_extract(self.raw, nodes, edges, values) }
    }
}

/// A value that holds no others: null, a boolean, a number or a string. Lives as long as its document.
package struct JSONLeaf {
    let raw: bh_value

    init(raw: bh_value) { self.raw = raw }

    /// A string that is no part of a document; `text` must outlive the leaf.
    init(borrowing text: UnsafeRawBufferPointer) {
        var value = bh_value()
        value.kind = BH_STRING
        value.string = text.baseAddress?.assumingMemoryBound(to: CChar.self)
        value.length = text.count
        self.raw = value
    }

    /// Nothing is here, or an array or object.
    package var isAbsent: Bool {
        switch self.raw.kind {
        case BH_NULL, BH_BOOL, BH_INT, BH_UINT, BH_DOUBLE, BH_STRING: false
        default: true
        }
    }

    package var isNull: Bool { self.raw.kind == BH_NULL }
    package var bool: Bool? { self.raw.kind == BH_BOOL ? self.raw.boolean : nil }

    package var number: Number? {
        switch self.raw.kind {
        case BH_INT: .integer(self.raw.integer)
        case BH_UINT: .unsigned(self.raw.unsigned_integer)
        case BH_DOUBLE: .binary64(self.raw.number)
        default: nil
        }
    }

    /// The UTF-8 of a string.
    package var utf8: UnsafeRawBufferPointer? {
        guard self.raw.kind == BH_STRING else { return nil }
        return UnsafeRawBufferPointer(start: self.raw.string, count: self.raw.length)
    }

    package var string: String? {
        self.utf8.map { String(decoding: $0, as: UTF8.self) }
    }

    /// The leaf as a person would write it: strings bare, null and what is absent empty.
    package var text: String {
        if let string = self.string { return string }
        if let number = self.number { return number.description }
        return self.bool.map(String.init) ?? ""
    }
}
