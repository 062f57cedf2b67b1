/// Runs the tests that stand beside rules.
package struct RuleTester {
    private let rules: RuleSet
    private let makeEvent: (Bytes) throws -> Event

    /// - `makeEvent`: reads an event as its source would.
    package init(_ rules: RuleSet, makeEvent: @escaping (Bytes) throws -> Event) {
        self.rules = rules
        self.makeEvent = makeEvent
    }

    /// What one test came to.
    package struct Result: Sendable {
        package let test: RuleTest
        /// None where it passed.
        package let problems: [Problem]
        /// The rules whose deliveries it expects.
        package let covered: Set<String>
    }

    package struct Problem: Sendable, Hashable {
        /// One sentence.
        package let message: String
        package let place: Place
        package var expected: String?
        package var actual: String?
    }

    /// A delivery that came of a given event.
    private struct Actual {
        let delivery: Delivery
        let title: String?
        let message: String
        let body: String
    }

    package func run(_ test: RuleTest) -> Result {
        var problems: [Problem] = []
        var actual: [Actual] = []
        for (json, place) in test.given {
            do {
                let event = try self.makeEvent(Bytes(json))
                if let time = try RuleTester.unreadableTime(Bytes(json)) {
                    problems.append(Problem(message: "its 'timestamp' is no time: \(time)", place: place))
                }
                actual += try self.deliveries(of: event)
            } catch {
                problems.append(Problem(message: "this is no event: \(error)", place: place))
            }
        }
        for expected in self.unpaired(test.expected, &actual) {
            let isNamed: (Actual) -> Bool = {
                $0.delivery.rule.name == expected.rule && $0.delivery.sink == expected.sink
            }
            if let index = actual.firstIndex(where: isNamed) {
                problems += self.problems(expected, actual.remove(at: index))
            } else {
                let message = "rule '\(expected.rule)' sent nothing to '\(expected.sink)'"
                problems.append(Problem(message: message, place: expected.place))
            }
        }
        for unexpected in actual {
            let (rule, sink) = (unexpected.delivery.rule.name, unexpected.delivery.sink)
            let message = "rule '\(rule)' sent something to '\(sink)' that is not expected"
            problems.append(Problem(message: message, place: test.place, actual: unexpected.message))
        }
        return Result(test: test, problems: problems, covered: Set(test.expected.map(\.rule)))
    }

    /// Pairs as many expectations with deliveries as can be, whatever their order, and takes those deliveries away.
    ///
    /// - Returns: the expectations without one.
    private func unpaired(_ expected: [ExpectedDelivery], _ actual: inout [Actual]) -> [ExpectedDelivery] {
        let fits = expected.map { expected in
            actual.indices.filter { index in
                actual[index].delivery.rule.name == expected.rule && actual[index].delivery.sink == expected.sink
                    && self.problems(expected, actual[index]).isEmpty
            }
        }
        // Kuhn's augmenting paths.
        var takenBy: [Int: Int] = [:]
        func place(_ number: Int, _ seen: inout Set<Int>) -> Bool {
            for index in fits[number] where seen.insert(index).inserted {
                guard let other = takenBy[index] else {
                    takenBy[index] = number
                    return true
                }
                if place(other, &seen) {
                    takenBy[index] = number
                    return true
                }
            }
            return false
        }
        for number in expected.indices {
            var seen: Set<Int> = []
            _ = place(number, &seen)
        }
        let paired = Set(takenBy.values)
        actual = actual.indices.filter { takenBy[$0] == nil }.map { actual[$0] }
        return expected.indices.filter { !paired.contains($0) }.map { expected[$0] }
    }

    /// A timestamp that cannot be read would leave the event at the tests' own time, and test nothing.
    private static func unreadableTime(_ json: Bytes) throws -> String? {
        try JSONParser().parse(json) { json in
            guard let leaf = json["timestamp"]?.leaf, !leaf.isNull else { return nil }
            return Timestamp(leaf.text) == nil ? leaf.text : nil
        }
    }

    private func deliveries(of event: Event) throws -> [Actual] {
        try RuleEvaluator(self.rules).matches(event).map { self.rules.rules[$0] }.flatMap { rule in
            try rule.sinks.map { sink in
                let delivery = Delivery(id: 1, event: event, rule: rule, sink: sink, attempt: 1)
                return try MessageContext.with(delivery) { context in
                    let message = ChatMessage(context, .plain)
                    return Actual(
                        delivery: delivery,
                        title: message.title,
                        message: message.text,
                        body: rule.body?.render(context) ?? event.data.string
                    )
                }
            }
        }
    }

    private func problems(_ expected: ExpectedDelivery, _ actual: Actual) -> [Problem] {
        var problems: [Problem] = []
        func compare(_ what: String, _ wanted: String?, _ seen: String) {
            guard let wanted, !WildcardText(wanted).matches(seen) else { return }
            let message = "the \(what) of rule '\(expected.rule)' to '\(expected.sink)' is another"
            problems.append(Problem(message: message, place: expected.place, expected: wanted, actual: seen))
        }
        compare("title", expected.title, actual.title ?? "")
        compare("message", expected.message, actual.message)
        if let body = expected.body, let difference = BodyDifference.between(body, actual.body) {
            let message = "\(difference.place) of rule '\(expected.rule)' to '\(expected.sink)' is another"
            let (wanted, seen) = (difference.expected, difference.actual)
            problems.append(Problem(message: message, place: expected.place, expected: wanted, actual: seen))
        }
        return problems
    }
}

/// A text in which `?` stands for any text, also none.
struct WildcardText {
    private let parts: [String.UTF8View]

    init(_ text: String) {
        self.parts = text.split(separator: "?", omittingEmptySubsequences: false).map { String($0).utf8 }
    }

    func matches(_ text: String) -> Bool {
        guard let first = self.parts.first, let last = self.parts.last, self.parts.count > 1 else {
            return self.parts.first.map { $0.elementsEqual(text.utf8) } ?? text.isEmpty
        }
        guard text.utf8.count >= first.count + last.count, text.utf8.starts(with: first),
            text.utf8.suffix(last.count).elementsEqual(last)
        else { return false }
        var rest = Array(text.utf8.dropFirst(first.count).dropLast(last.count))[...]
        for part in self.parts.dropFirst().dropLast() {
            guard let found = rest.firstRange(of: Array(part)) else { return false }
            rest = rest[found.upperBound...]
        }
        return true
    }
}
