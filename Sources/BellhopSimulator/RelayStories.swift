import BellhopCore

/// An event of the simulated API: its identity, and its JSON in the current shape.
package struct SimulatedEvent: Sendable {
    package let id: String
    package var time: Timestamp
    /// `start`, `acknowledged`, `timed_out` or `end`.
    package let type: String
    package let task: String
    package let name: String
    /// Who acknowledged.
    package let device: String?
}

/// Makes up alerts as they happen in a hotel or hospital: each starts, most are acknowledged by somebody after a while,
/// some time out, and all end. The same seed tells the same stories.
struct RelayStories {
    private static let alerts = ["fire-alarm", "panic-room-7", "panic-lobby", "room-call", "nurse-call", "alerts"]
    private static let people = ["bob", "Mary", "Zoë", "Night Desk", "Security 2", "José"]

    /// The events on the vendor's page (developer.relaypro.com, "Events"), which gives an id to the first only.
    static var samples: [SimulatedEvent] {
        let time = Timestamp("2024-08-08T18:25:40.923947Z") ?? .distantPast
        func sample(_ number: Int, _ type: String, task: String, device: String? = nil) -> SimulatedEvent {
            let id = number == 0 ? "a195f66af5514cacbdbeea09c8e785f6" : "a195f66af5514cacbdbeea09c8e785f\(6 + number)"
            return SimulatedEvent(id: id, time: time, type: type, task: task, name: "alerts", device: device)
        }
        return [
            sample(0, "start", task: "mCcJawrh3shriXHombQxXA"),
            sample(1, "acknowledged", task: "9C9AbxNELsQphK9Afhzr6yG6C", device: "bob"),
            sample(2, "timed_out", task: "mCcJawrh3shriXHombQxXA"),
            sample(3, "end", task: "9C9AbxNELsQphK9Afhzr6yG6C"),
        ]
    }

    private var random: SeededGenerator
    /// How much faster than life acknowledgements come.
    private let pace: Double

    init(seed: UInt64, pace: Double = 1) {
        self.random = SeededGenerator(seed: seed)
        self.pace = pace
    }

    /// One alert from start to end, in order.
    mutating func story(startingAt start: Timestamp) -> [SimulatedEvent] {
        let task = self.token(count: 22)
        let name = RelayStories.alerts.randomElement(using: &self.random) ?? "alerts"
        var events: [SimulatedEvent] = []
        func add(_ type: String, after seconds: Double, device: String? = nil, _ random: inout SeededGenerator) {
            let time = start + .microseconds(Int64(seconds / self.pace * 1e6))
            // 32 hexadecimal digits, as in the samples; the leading one of 17 keeps zeros.
            let id = (0..<2).map { _ in String(random.next() >> 4 | 1 << 60, radix: 16) }.joined()
            events.append(SimulatedEvent(id: id, time: time, type: type, task: task, name: name, device: device))
        }
        add("start", after: 0, &self.random)
        var clock = Double.random(in: 4...60, using: &self.random)
        if Int.random(in: 0..<5, using: &self.random) > 0 {
            for _ in 0..<Int.random(in: 1...2, using: &self.random) {
                add(
                    "acknowledged",
                    after: clock,
                    device: RelayStories.people.randomElement(using: &self.random),
                    &self.random
                )
                clock += Double.random(in: 1...20, using: &self.random)
            }
        } else {
            clock = 300
            add("timed_out", after: clock, &self.random)
        }
        add("end", after: clock + Double.random(in: 0.001...2, using: &self.random), &self.random)
        return events
    }

    private mutating func token(count: Int) -> String {
        let letters = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789")
        return String((0..<count).map { _ in letters.randomElement(using: &self.random) ?? "x" })
    }
}

/// SplitMix64 (Steele, Lea, Flood 2014): small, and the same everywhere.
package struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    package init(seed: UInt64) { self.state = seed }

    package mutating func next() -> UInt64 {
        self.state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = self.state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
