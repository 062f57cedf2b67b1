import BellhopCore
import BellhopSimulator
import Testing

@Suite struct TimestampTests {
    @Test(arguments: [
        ("2024-08-08T18:25:40.923947Z", "2024-08-08T18:25:40.923947000Z"),
        ("2024-08-08T18:25:40Z", "2024-08-08T18:25:40.000000000Z"),
        ("2024-08-08T18:25:40.9Z", "2024-08-08T18:25:40.900000000Z"),
        ("2024-08-08T18:25:40.123456789Z", "2024-08-08T18:25:40.123456789Z"),
        ("2024-08-08T18:25:40.1234567899Z", "2024-08-08T18:25:40.123456789Z"),
        ("2024-08-08T18:25:40+00:00", "2024-08-08T18:25:40.000000000Z"),
        ("2024-08-08T14:25:40-0400", "2024-08-08T18:25:40.000000000Z"),
        ("2024-08-08T20:25:40+02", "2024-08-08T18:25:40.000000000Z"),
        ("2024-08-08t18:25:40z", "2024-08-08T18:25:40.000000000Z"),
        ("2024-08-08 18:25:40", "2024-08-08T18:25:40.000000000Z"),
        ("2024-08-08 0:05:09.0 +00:00:00", "2024-08-08T00:05:09.000000000Z"),
        ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00.000000000Z"),
        ("1969-12-31T23:59:59.5Z", "1969-12-31T23:59:59.500000000Z"),
        ("2000-02-29T00:00:00Z", "2000-02-29T00:00:00.000000000Z"),
    ])
    func `every form that servers write is read`(text: String, expected: String) {
        #expect(Timestamp(text)?.formatted(.nanoseconds) == expected)
    }

    @Test(arguments: [
        "", "now", "2024", "2024-08-08", "2024-13-01T00:00:00Z", "2024-02-30T00:00:00Z", "2023-02-29T00:00:00Z",
        "2024-08-08T24:00:00Z", "2024-08-08T18:61:00Z", "2024-08-08T18:25:40.Z", "2024-08-08T18:25:40Zjunk",
        "2024-08-08T18:25:40+25:00", "9999-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "2024-08-08T18:25:61Z",
        "１2024-08-08T18:25:40Z",
    ])
    func `nothing else is`(text: String) {
        #expect(Timestamp(text) == nil)
    }

    @Test func `what is written is read back, over five centuries`() {
        var random = SeededGenerator(seed: 42)
        for _ in 0..<2000 {
            let time = Timestamp(nanoseconds: Int64(bitPattern: random.next()) / 1_000_000_000 * 1_000_000_007 / 2)
            #expect(Timestamp(time.formatted(.nanoseconds)) == time)
        }
    }

    @Test func `arithmetic stops at the ends of the range`() {
        #expect(Timestamp.distantFuture + .seconds(1) == .distantFuture)
        #expect(Timestamp.distantPast - .seconds(1) == .distantPast)
        #expect(Timestamp(seconds: -1).seconds == -1)
        #expect(Timestamp(nanoseconds: -1).flooredToSecond == Timestamp(seconds: -1))
        #expect(Timestamp(seconds: 10) - Timestamp(seconds: 4) == .seconds(6))
    }
}
