import BellhopCore
import BellhopTesting
import Testing

@Suite struct NetworkTests {
    @Test(arguments: [
        ("1.2.3.4", "1.2.3.4"), ("::1", "::1"), ("::", "::"), ("::ffff:1.2.3.4", "1.2.3.4"),
        ("fe80::1%eth0", "fe80::1"),
        ("2001:DB8:0:0:1:0:0:1", "2001:db8::1:0:0:1"), ("1:0:0:2::", "1:0:0:2::"),
        ("64:ff9b::8.8.8.8", "64:ff9b::808:808"),
        ("1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"), ("0:0:0:0:0:ffff:102:304", "1.2.3.4"),
    ]) func `addresses are read, and written in their shortest form`(text: String, shortest: String) throws {
        let address = try #require(IPAddress(text))
        #expect(address.description == shortest)
        #expect(IPAddress(address.description) == address)
    }

    @Test(arguments: [
        "", "1.2.3", "1.2.3.4.5", "256.1.1.1", "01.2.3.4", "0x7f.1", "127.1", "2130706433", ":", ":::", "1::2::3",
        "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "12345::", "g::", "::1.2.3", "localhost", "1.2.3.4:80", "[::1]",
        "+1.2.3.4",
    ]) func `and nothing else`(text: String) { #expect(IPAddress(text) == nil) }

    @Test(arguments: [
        ("10.0.0.0/8", "10.255.0.1", true), ("10.0.0.0/8", "::ffff:10.1.1.1", true), ("10.0.0.0/8", "11.0.0.1", false),
        ("10.0.0.0/8", "::10.0.0.1", false), ("172.16.0.0/12", "172.31.255.255", true),
        ("172.16.0.0/12", "172.32.0.0", false), ("0.0.0.0/0", "8.8.8.8", true), ("0.0.0.0/0", "::1", false),
        ("fe80::/10", "febf:ffff::1", true), ("fe80::/10", "fec0::1", false), ("1.2.3.4", "1.2.3.4", true),
        ("::ffff:10.0.0.0/104", "10.9.9.9", true),
    ]) func `ranges hold what has their prefix`(range: String, address: String, isInside: Bool) throws {
        let range = try #require(AddressRange(range))
        let address = try #require(IPAddress(address))
        #expect(range.contains(address) == isInside)
    }

    @Test(arguments: [
        "10.0.0.1/8", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1", "x/8", "fe80::/129", "10.0.0.0/8/8", "::/+1",
    ]) func `and a range has no bits behind its prefix`(text: String) { #expect(AddressRange(text) == nil) }

    private func refusals(_ options: String, _ addresses: [String]) -> [String?] {
        let guardian = NetworkGuard(OptionReader.stub(options))
        return addresses.map { IPAddress($0).flatMap(guardian.refusal) }
    }

    @Test func `without configuration only the places where clouds keep keys are refused`() {
        let refused = [
            "169.254.169.254", "::ffff:169.254.169.254", "fe80::1", "168.63.129.16", "100.100.100.200", "fd00:ec2::254",
            "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::1", "::169.254.169.254",
        ]
        #expect(self.refusals("{}", refused) == refused.map { _ in "metadata" })
        let fine = ["127.0.0.1", "10.0.0.1", "::1", "1.1.1.1", "2001:4860:4860::8888", "fd00::1", "64:ff9b::808:808"]
        #expect(self.refusals("{}", fine) == fine.map { _ in nil })
    }

    @Test func `more can be refused, and exceptions made`() {
        let options = #"{"deny":["private","loopback","203.0.113.0/24"],"allow":["10.1.0.0/16"]}"#
        #expect(
            self.refusals(
                options,
                [
                    "192.168.0.1", "10.2.0.1", "10.1.0.1", "127.0.0.1", "0.0.0.0", "::", "203.0.113.9", "8.8.8.8",
                    "100.64.1.1",
                    "2002:c0a8:0001::1", "169.254.169.254", "fc00::1", "64:ff9b::a01:1",
                ]
            ) == [
                "private", "private", nil, "loopback", "loopback", "loopback", "203.0.113.0/24", nil, "private",
                "private",
                "metadata", "private", nil,
            ]
        )
        #expect(self.refusals(#"{"allow":"169.254.10.0/24"}"#, ["169.254.10.1", "169.254.11.1"]) == [nil, "metadata"])
    }

    @Test func `a mistake is told with its place and the right word`() {
        let diagnostics = Diagnostics()
        _ = NetworkGuard(OptionReader.stub(#"{"deny":["privat","10.0.0.1/8"],"alow":[]}"#, diagnostics))
        let messages = diagnostics.all.map(\.message)
        #expect(messages.count == 3)
        #expect(messages[0].contains("not 'privat'; did you mean 'private'?"))
        #expect(messages[1].contains("no bits behind the prefix"))
        #expect(messages[2].contains("did you mean 'allow'?"))
    }
}
