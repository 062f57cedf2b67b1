import AsyncAlgorithms
import Bellhop
import BellhopCore

/// Shows how a run comes along while it catches up: a live line on a terminal, otherwise a line every few seconds.
struct Progress: Sendable {
    let tally: Tally
    let sources: [String]

    /// Works until everything is read and delivered, or until cancelled.
    func run() async {
        let isTerminal = Terminal.errorIsTerminal
        let interval: Duration = isTerminal ? .milliseconds(200) : .seconds(5)
        var told = ""
        for await _ in AsyncTimerSequence(interval: interval, clock: .continuous) {
            let counts = self.tally.current
            if self.isDone(counts) { break }
            let line = self.line(counts)
            if isTerminal {
                Terminal.shared.show(line)
            } else if line != told {
                // A receiver that is down for hours is told of once.
                Terminal.shared.print(line)
                told = line
            }
        }
        Terminal.shared.show("")
    }

    private func isDone(_ counts: Tally.Counts) -> Bool {
        self.sources.allSatisfy { counts.sources[$0]?.isCaughtUp == true }
            && counts.delivered + counts.deadLetters + counts.held >= counts.owed
    }

    private func line(_ counts: Tally.Counts) -> String {
        var parts = [
            "\(counts.events.grouped) events read", "\(counts.delivered.grouped) of \(counts.owed.grouped) delivered",
        ]
        if counts.deadLetters > 0 { parts.append("\(counts.deadLetters.grouped) dead letters") }
        let behind = self.sources.filter { counts.sources[$0]?.isCaughtUp != true }.compactMap {
            counts.sources[$0]?.newest
        }.min()
        if let behind { parts.append("\(Quantity.approximate(SystemClock().now() - behind)) behind") }
        let problems = self.sources.compactMap { name in counts.sources[name]?.problem.map { "\(name): \($0)" } }
        let sinks = counts.sinks.filter { $0.value.problem != nil }.keys.sorted().map { "\($0) is suspended" }
        return "catching up: " + (parts + problems + sinks).joined(separator: ", ")
    }
}

extension Int {
    /// `1,234,567`
    var grouped: String {
        var digits = Array(String(self.magnitude))
        var index = digits.count - 3
        while index > 0 {
            digits.insert(",", at: index)
            index -= 3
        }
        return (self < 0 ? "-" : "") + String(digits)
    }
}
