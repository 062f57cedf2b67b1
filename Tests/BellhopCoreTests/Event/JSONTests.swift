import BellhopCore
import Testing

@Suite struct JSONTests {
    private func parse<Result>(_ text: String, _ body: (JSON) throws -> Result) throws -> Result {
        try JSONParser().parse(Bytes(text), body)
    }

    @Test func `fields are read by path`() throws {
        try self.parse(#"{"content":{"type":"start","n":[1,2]},"task":null}"#) { json in
            #expect(json["content"]?["type"]?.leaf.string == "start")
            #expect(json[FieldPath(["content", "type"])]?.leaf.text == "start")
            #expect(json["task"]?.leaf.isNull == true)
            #expect(json["task"]?["id"] == nil)
            #expect(json["nothing"] == nil)
            #expect(json["content"]?.kind == .object)
        }
    }

    @Test func `of a name that stands twice the last one counts`() throws {
        try self.parse(#"{"a":1,"a":2}"#) { #expect($0["a"]?.leaf.number == .integer(2)) }
    }

    @Test(arguments: [
        ("9223372036854775807", Number.integer(.max)), ("-9223372036854775808", .integer(.min)),
        ("18446744073709551615", .unsigned(.max)), ("1.5", .binary64(1.5)), ("1e3", .binary64(1000)),
        ("123456789012345678901234567890", .binary64(1.2345678901234568e29)),
        ("-123456789012345678901234567890", .binary64(-1.2345678901234568e29)),
        ("1e400", .binary64(.greatestFiniteMagnitude)), ("1e-400", .binary64(0)),
    ])
    func `numbers of any size are valid`(text: String, expected: Number) throws {
        try self.parse("{\"a\":\"12345678901234567890123\",\"n\":\(text),\"b\":[\(text)]}") { json in
            #expect(json["n"]?.leaf.number == expected)
            #expect(json["a"]?.leaf.string == "12345678901234567890123")
        }
    }

    @Test(arguments: [
        "", " ", "{", "}", "{\"a\":}", "{\"a\":tru}", "[1,]", "{\"a\" 1}", "nul", "{\"a\":01}", "{\"a\":1}x",
        "\"\u{1}\"", "{\"a\":123456789012345678901234567890x}", "{\"a\":-}",
    ])
    func `what is not JSON is refused as a whole, also where nobody looks`(text: String) {
        #expect(throws: JSONError.self) { try self.parse(text) { _ in } }
    }

    @Test func `bytes that are not UTF-8 are refused`() {
        let bytes: [UInt8] = [0x22, 0xFF, 0x22]
        #expect(throws: JSONError.self) {
            try bytes.withUnsafeBytes { try JSONParser().parse(Bytes(copying: $0)) { _ in } }
        }
    }

    @Test func `deep nesting is refused and does not crash`() {
        let deep = String(repeating: "[", count: 100_000) + String(repeating: "]", count: 100_000)
        #expect(throws: JSONError.self) { try self.parse(deep) { _ in } }
    }

    @Test func `numbers compare by value, integers exactly`() {
        #expect(Number.integer(1) == .binary64(1))
        #expect(Number.integer(9_007_199_254_740_993) != .integer(9_007_199_254_740_992))
        #expect(Number.integer(-1) < .unsigned(.max))
        #expect(Number("1.50") == .binary64(1.5))
        for text in ["", "-", "01", "1.", ".5", "+1", "1e", "0x10", "1_000", "Infinity", "nan"] {
            #expect(Number(text) == nil)
        }
    }
}

@Suite struct JSONSplitterTests {
    private func elements(_ text: String) throws -> [String] {
        let bytes = Bytes(text)
        return try bytes.withUnsafeBytes { raw throws in
            var splitter = JSONSplitter(raw)
            return try splitter.elements().map { bytes[$0].string }
        }
    }

    @Test func `elements keep their bytes, good or bad`() throws {
        let found = try self.elements("\u{FEFF} [ {\"a\" : \"],}\\\"\"} , nonsense ,[1,[2]], \"x\" , {\"b\":tru} ] ")
        #expect(found == ["{\"a\" : \"],}\\\"\"}", "nonsense", "[1,[2]]", "\"x\"", "{\"b\":tru}"])
        #expect(try self.elements("[]") == [])
    }

    @Test(arguments: ["[", "[1", "[1,", "[\"a", "[{\"a\":1}", "[\"a\\"])
    func `an array cut short is told from a bad one`(text: String) {
        #expect(throws: JSONSplitter.Failure.truncated) { try self.elements(text) }
    }

    @Test(arguments: ["[1}", "[,]", "[1,,2]", "{}", "x"])
    func `what is no array is refused`(text: String) {
        #expect(throws: JSONSplitter.Failure.self) { try self.elements(text) }
    }
}

@Suite struct BytesTests {
    @Test func `slices share the buffer and compare by content`() {
        let bytes = Bytes("hello world")
        #expect(bytes[6..<11] == Bytes("world"))
        #expect(bytes[6..<11][1..<3].string == "or")
        #expect(bytes[0..<0].isEmpty)
        #expect(Set([bytes[0..<1], Bytes("h")]).count == 1)
    }

    @Test func `a builder grows`() {
        var builder = BytesBuilder()
        for index in 0..<1000 { builder.append("\(index),") }
        let text = (0..<1000).map { "\($0)," }.joined()
        #expect(builder.build().string == text)
    }
}

@Suite struct FieldPathTests {
    @Test func `dots separate names, and escaped ones belong to them`() throws {
        #expect(try FieldPath(dotted: "content.type").names == ["content", "type"])
        #expect(try FieldPath(dotted: #"a\.b.c\\d"#).names == ["a.b", #"c\d"#])
        #expect(try FieldPath(dotted: #"a\.b.c\\d"#).description == #"a\.b.c\\d"#)
    }

    @Test(arguments: ["", ".", "a.", ".a", "a..b", #"a\"#, #"a\b"#])
    func `a path with an empty name or another escape is refused`(text: String) {
        #expect(throws: FieldPathError.self) { try FieldPath(dotted: text) }
    }
}
