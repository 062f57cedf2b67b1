import BellhopCore
import Testing

@Suite struct PlainTextTests {
    @Test(arguments: [
        ("a%20b", "a b"), ("%E2%82%AC", "€"), ("%e2%82%ac", "€"), ("100%", "100%"), ("%4", "%4"), ("%zz%41", "%zzA"),
        ("%2541", "%41"), ("", ""), ("%ff", "\u{FFFD}"),
    ]) func `percent signs are decoded once`(text: String, expected: String) {
        #expect(text.percentDecoded == expected)
    }

    @Test func `what is encoded is what is decoded`() {
        let text = "a b/ü?%&=€\u{0}😀"
        #expect(text.percentEncoded.percentDecoded == text)
        #expect(text.percentEncoded == "a%20b%2F%C3%BC%3F%25%26%3D%E2%82%AC%00%F0%9F%98%80")
    }

    @Test func `a time as HTTP headers write it`() {
        // RFC 9110 §5.6.7.
        #expect(Timestamp(seconds: 784_111_777).httpDate == "Sun, 06 Nov 1994 08:49:37 GMT")
    }
}
