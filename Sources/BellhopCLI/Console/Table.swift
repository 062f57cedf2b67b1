import BellhopCore

/// Rows in columns: aligned with headings on a terminal, separated by tabs when piped.
struct Table {
    private let headings: [String]
    private var rows: [[String]] = []

    init(_ headings: [String]) { self.headings = headings }

    mutating func add(_ row: [String]) {
        // What receivers and events say must not move the cursor or break the lines.
        self.rows.append(row.map { String($0.unicodeScalars.filter { $0.value >= 32 && $0.value != 127 }) })
    }

    func text(isTerminal: Bool) -> String {
        guard isTerminal else { return self.rows.map { $0.joined(separator: "\t") + "\n" }.joined() }
        let widths = self.headings.indices.map { column in
            min(60, ([self.headings] + self.rows).map { $0[column].count }.max() ?? 0)
        }
        func line(_ row: [String]) -> String {
            let cells = zip(row, widths).map { cell, width in
                let cut = cell.count > width ? cell.prefix(width - 1) + "…" : cell[...]
                return cut + String(repeating: " ", count: max(0, width - cut.count))
            }
            return cells.joined(separator: "  ").trimmingTrailingSpaces
        }
        let heading = Terminal.style(line(self.headings), .bold, when: true)
        return ([heading] + self.rows.map(line)).map { $0 + "\n" }.joined()
    }
}

extension String {
    fileprivate var trimmingTrailingSpaces: String {
        String(self.reversed().drop { $0 == " " }.reversed())
    }
}
