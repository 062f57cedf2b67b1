import BellhopCore

/// A JSON answer that holds a list of events somewhere; each keeps its bytes, and a bad one costs only itself.
struct ItemPage {
    let items: [Bytes]

    /// - `path`: where the list stands; empty for an answer that is the list.
    /// - Throws: ``ItemPageError`` when there is no list.
    init(_ body: Bytes, at path: [String]) throws(ItemPageError) {
        do {
            self.items = try body.withUnsafeBytes { bytes throws in
                try ItemPage.ranges(bytes, path[...], offset: 0, path).map { body[$0] }
            }
        } catch let error as ItemPageError {
            throw error
        } catch JSONSplitter.Failure.truncated {
            throw .truncated
        } catch {
            throw .notJSON
        }
    }

    private static func ranges(
        _ bytes: UnsafeRawBufferPointer,
        _ rest: ArraySlice<String>,
        offset: Int,
        _ path: [String]
    ) throws -> [Range<Int>] {
        var splitter = JSONSplitter(bytes)
        guard let name = rest.first else {
            guard splitter.peek() == UInt8(ascii: "[") else { throw ItemPageError.noList(path) }
            return try splitter.elements().map { $0.lowerBound + offset..<$0.upperBound + offset }
        }
        guard splitter.peek() == UInt8(ascii: "{") else { throw ItemPageError.noList(path) }
        let quoted = Array(JSONText.string(name).utf8)
        guard let member = try splitter.members().last(where: { bytes[$0.name].elementsEqual(quoted) }) else {
            throw ItemPageError.noList(path)
        }
        let inner = UnsafeRawBufferPointer(rebasing: bytes[member.value])
        return try self.ranges(inner, rest.dropFirst(), offset: offset + member.value.lowerBound, path)
    }
}

enum ItemPageError: Error, Hashable, CustomStringConvertible {
    case noList([String])
    case notJSON
    case truncated

    var description: String {
        switch self {
        case .noList([]): "it is no list; say where the list stands with 'items'"
        case .noList(let path): "there is no list at '\(path.joined(separator: "."))'; check 'items'"
        case .notJSON: "it is not JSON"
        case .truncated: "it is cut short"
        }
    }
}
