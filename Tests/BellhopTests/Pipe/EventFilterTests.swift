import Bellhop
import BellhopCore
import BellhopTesting
import Foundation
import Testing

@Suite(.timeLimit(.minutes(4))) struct EventFilterTests {
    private func rules(_ json: String) throws -> RuleSet {
        let diagnostics = Diagnostics()
        return RuleSet(RuleReader(sinks: .none, diagnostics).rules(try #require(Setting(json: json)?.elements)))
    }

    private func filter(
        _ input: String,
        _ rules: String = #"[{"name":"a","match":{"t":1}}]"#
    ) async throws -> (output: String, bad: [Int], EventFilter.Summary) {
        let folder = try TemporaryFolder()
        let source = try FileHandle(forReadingFrom: URL(fileURLWithPath: folder.write("in", input)))
        try folder.write("out", "")
        let target = try FileHandle(forWritingTo: URL(fileURLWithPath: "\(folder.path)/out"))
        var bad: [Int] = []
        let summary = try await EventFilter(self.rules(rules), width: 3)
            .run(input: source.fileDescriptor, output: target.fileDescriptor) { line, _ in bad.append(line) }
        return (folder.read("out"), bad, summary)
    }

    @Test func `matching lines come out unchanged and in order, bad ones are named by number`() async throws {
        let (output, bad, summary) = try await self.filter(
            "{\"t\":1, \"x\": 1.0}\r\n\n{\"t\":2}\nnot json\n  \n[1]\n{\"t\":1}"
        )
        #expect(output == "{\"t\":1, \"x\": 1.0}\r\n{\"t\":1}")
        #expect(bad == [4, 6])
        #expect(summary.events == 3 && summary.matched == 2 && summary.bad == 2)
    }

    @Test func `an event that several rules match is printed once, and otherwise counts`() async throws {
        let rules =
            #"[{"name":"a","match":{"t":1}},{"name":"b","match":{"u":1}},{"name":"c","otherwise":true,"match":{"v":1}}]"#
        let (output, _, _) = try await self.filter("{\"t\":1,\"u\":1}\n{\"v\":1}\n{\"w\":1}\n", rules)
        #expect(output == "{\"t\":1,\"u\":1}\n{\"v\":1}\n")
    }

    @Test func `over many blocks nothing is lost, doubled or reordered`() async throws {
        let pad = String(repeating: "x", count: 300)
        let lines = (0..<20_000).map { "{\"n\":\($0),\"t\":\($0 % 3),\"pad\":\"\(pad)\"}\n" }
        let (output, bad, summary) = try await self.filter(lines.joined())
        #expect(output == lines.indices.filter { $0 % 3 == 1 }.map { lines[$0] }.joined())
        #expect(bad == [] && summary.events == 20_000)
    }

    @Test func `a line longer than a block is one line`() async throws {
        let long = "{\"t\":1,\"x\":\"\(String(repeating: "y", count: 3_000_000))\"}\n"
        let (output, _, _) = try await self.filter("{\"t\":1}\n\(long){\"t\":1}\n")
        #expect(output == "{\"t\":1}\n\(long){\"t\":1}\n")
    }

    @Test func `no input is no output`() async throws {
        let (output, bad, _) = try await self.filter("")
        #expect(output == "" && bad == [])
    }

    @Test func `what is there is written through when the input pauses`() async throws {
        let input = Pipe()
        let output = Pipe()
        let rules = try self.rules(#"[{"name":"a"}]"#)
        async let summary = EventFilter(rules, width: 3)
            .run(input: input.fileHandleForReading.fileDescriptor, output: output.fileHandleForWriting.fileDescriptor) {
                _,
                _ in
            }
        for number in 0..<5 {
            input.fileHandleForWriting.write(Data("{\"n\":\(number)}\n".utf8))
            let line = try await self.readLine(output.fileHandleForReading.fileDescriptor)
            #expect(line == "{\"n\":\(number)}\n")
        }
        try input.fileHandleForWriting.close()
        #expect(try await summary.matched == 5)
        // A pipe that is let go closes its descriptors, and whoever opens something next gets their numbers.
        withExtendedLifetime((input, output)) {}
    }

    private func readLine(_ descriptor: Int32) async throws -> String {
        // Never blocks: the filter runs on the same few threads as this test.
        _ = fcntl(descriptor, F_SETFL, O_NONBLOCK)
        var line: [UInt8] = []
        while line.last != 10 {
            var byte: UInt8 = 0
            if read(descriptor, &byte, 1) > 0 { line.append(byte) } else { try await Task.sleep(for: .milliseconds(2)) }
        }
        return String(decoding: line, as: UTF8.self)
    }
}
