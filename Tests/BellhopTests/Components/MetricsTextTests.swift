import BellhopCore
import BellhopTesting
import Testing

@testable import Bellhop

@Suite struct MetricsTextTests {
    @Test func `every series is there from the start, and names are escaped`() throws {
        var counts = Tally.Counts()
        counts.rules["fire"] = 3
        counts.sources["relay", default: .init()].newest = Timestamp(nanoseconds: 1_790_000_000_500_000_000)
        counts.sources["relay"]?.events = 7
        counts.sinks["ops", default: .init()].problem = "down"
        var backlog = SpoolStatus.Backlog()
        (backlog.pending, backlog.oldest, backlog.dead) = (2, Timestamp(seconds: 1_790_000_001), 1)
        let text = MetricsText.render(
            counts,
            sources: ["relay", "idle"],
            sinks: ["ops"],
            rules: ["fire", "a \"quoted\\\nrule"],
            status: SpoolStatus(sinks: ["ops": backlog, "gone": .init()], size: 4096),
            process: ProcessUse(
                cpu: .milliseconds(1500),
                memory: 40_000_000,
                descriptors: 12,
                started: Timestamp(seconds: 1_789_999_999)
            ),
            version: "0.1.0 (abc)"
        )
        #expect(try text == Golden.file("metrics.txt", text))
    }
}
