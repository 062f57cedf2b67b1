import BellhopCore
import BellhopTesting
import Testing

@Suite struct ZoneTests {
    /// Zone, seconds since 1970, offset and abbreviation, as Python's zoneinfo has them; each change of clocks in 2026,
    /// 2037, 2038 and 2060 from both sides.
    static let rows: [(zone: String, second: Int64, offset: Int64, name: String)] = {
        var rows: [(zone: String, second: Int64, offset: Int64, name: String)] = []
        try? JSONParser().parse(Bytes((try? Golden.fixture("zones.json")) ?? "[]")) { json in
            json.forEachElement { row in
                var cells: [JSONLeaf] = []
                row.forEachElement { cell in
                    cells.append(cell.leaf)
                    return true
                }
                func integer(_ leaf: JSONLeaf) -> Int64 {
                    if case .integer(let value) = leaf.number { value } else { 0 }
                }
                rows.append((cells[0].text, integer(cells[1]), integer(cells[2]), cells[3].text))
                return true
            }
        }
        return rows
    }()

    @Test func `clocks are where Python's are`() throws {
        #expect(Self.rows.count > 200)
        for row in Self.rows {
            let zone = try #require(Zones.machine[row.zone])
            let local = LocalTime(Timestamp(seconds: row.second), in: zone)
            #expect(local.offset == row.offset && local.abbreviation == row.name, "\(row) but \(local)")
        }
    }

    @Test func `a local time has its date and weekday`() throws {
        let zone = try #require(Zones.machine["America/New_York"])
        let local = LocalTime(try #require(Timestamp("2026-11-21T03:30:05Z")), in: zone)
        #expect(local.year == 2026 && local.month == 11 && local.day == 20 && local.weekday == .friday)
        #expect(local.secondOfDay == 22 * 3600 + 30 * 60 + 5)
    }

    @Test(arguments: ["Mars/Base", "", "../../etc/passwd", "/etc/localtime", "Europe/Berlin\n", "Europe"])
    func `what is no zone is none`(name: String) {
        #expect(Zones.machine[name] == nil)
    }

    @Test func `a damaged file is refused, and never crashes`() throws {
        let good = try #require(Golden.bytes("/usr/share/zoneinfo/Europe/Berlin"))
        #expect(throws: Never.self) { try Zone(name: "good", tzif: good) }
        for length in stride(from: 0, to: good.count, by: 7) {
            _ = try? Zone(name: "cut", tzif: Array(good.prefix(length)))
        }
        for index in good.indices {
            var bad = good
            bad[index] ^= 0xFF
            if let zone = try? Zone(name: "bad", tzif: bad) {
                _ = LocalTime(Timestamp(seconds: 1_800_000_000), in: zone)
            }
        }
        #expect(throws: ZoneError.self) { try Zone(name: "empty", tzif: []) }
    }
}
