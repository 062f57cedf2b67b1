import BellhopCore
import Testing

@Suite struct ListenAddressTests {
    @Test(arguments: [
        ("127.0.0.1:8088", "127.0.0.1", 8088, true), ("127.255.0.9:1", "127.255.0.9", 1, true),
        ("[::1]:8088", "::1", 8088, true), ("localhost:0", "localhost", 0, true),
        ("LocalHost:80", "localhost", 80, true), ("0.0.0.0:8088", "0.0.0.0", 8088, false),
        ("[::]:8088", "::", 8088, false), ("hooks.example.org:65535", "hooks.example.org", 65_535, false),
        ("128.0.0.1:1", "128.0.0.1", 1, false),
    ]) func `hosts with a port`(text: String, host: String, port: Int, isLoopback: Bool) throws {
        let address = try #require(ListenAddress(text))
        #expect(address.host == host && address.port == port && address.isLoopback == isLoopback)
        #expect(address.description == text.lowercased() && address.on(7).description.hasSuffix(":7"))
    }

    @Test(arguments: [
        ("127.0.0.1:80", "0.0.0.0:80", true), ("[::]:80", "127.0.0.1:80", true), ("localhost:80", "127.0.0.1:80", true),
        ("localhost:80", "[::1]:80", true), ("127.0.0.1:80", "127.0.0.1:80", false),
        ("127.0.0.1:80", "0.0.0.0:81", false),
        ("127.0.0.1:80", "127.0.0.2:80", false), ("127.0.0.1:0", "0.0.0.0:0", false),
        ("10.0.0.1:80", "localhost:80", false),
    ]) func `addresses that get into each other's way`(one: String, other: String, expected: Bool) throws {
        let (one, other) = (try #require(ListenAddress(one)), try #require(ListenAddress(other)))
        #expect(one.overlaps(other) == expected && other.overlaps(one) == expected)
    }

    @Test(arguments: [
        "", "8088", ":8088", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1", "::1:8088", "[::1]",
        "[127.0.0.1]:80", "[::1:80", "a b:80", "http://x:80", "x/y:80", "ü:80",
    ]) func `anything else is none`(text: String) {
        #expect(ListenAddress(text) == nil)
    }
}
