/// A test that a user wrote beside rules: events, and the deliveries that must come of them.
package struct RuleTest: Sendable {
    package let name: String
    package let place: Place
    /// The events' JSON, in order.
    package let given: [(json: String, place: Place)]
    /// All deliveries that must come, in any order.
    package let expected: [ExpectedDelivery]
}

package struct ExpectedDelivery: Sendable {
    package let rule: String
    package let sink: String
    /// As it is before it is escaped for its destination; `?` stands for any text, also none.
    package let title: String?
    package let message: String?
    package let body: Setting?
    package let place: Place
}

/// Reads `tests:`.
package struct RuleTestReader {
    private let diagnostics: Diagnostics
    private let rules: Set<String>
    private let sinks: Set<String>?

    /// - `sinks`: nil where any name will do.
    package init(rules: [Rule], sinks: Set<String>?, _ diagnostics: Diagnostics) {
        self.rules = Set(rules.map(\.name))
        self.sinks = sinks
        self.diagnostics = diagnostics
    }

    package func tests(_ settings: [Setting]) -> [RuleTest] {
        settings.map { setting in
            let options = OptionReader(setting, owner: "a test", diagnostics: self.diagnostics)
            let test = RuleTest(
                name: options.requiredString("name", "a sentence that says what is tested"),
                place: setting.place,
                given: (options.required("given", "a list of events")?.elementsOrSelf ?? []).compactMap {
                    self.event($0)
                },
                expected: (options.required("expect", "a list of deliveries, [] for none")?.elementsOrSelf ?? [])
                    .compactMap { self.delivery($0) }
            )
            options.finish()
            return test
        }
    }

    private func event(_ setting: Setting) -> (json: String, place: Place)? {
        guard let members = setting.members else {
            if !setting.isMistaken {
                self.diagnostics.error(
                    "'given' lists events, which are mappings, not \(setting.shown)",
                    at: setting.place
                )
            }
            return nil
        }
        if members.count == 1, let member = members.first, member.key == "advance" {
            self.diagnostics.error(
                "'advance' is not in this version of Bellhop yet: timers come with the life cycle",
                at: member.place
            )
            return nil
        }
        return (setting.json, setting.place)
    }

    private func delivery(_ setting: Setting) -> ExpectedDelivery? {
        let options = OptionReader(setting, owner: "an expected delivery", diagnostics: self.diagnostics)
        guard setting.members != nil else {
            if setting.isNull {
                self.diagnostics.error(
                    "an expected delivery is missing; no deliveries at all are []",
                    at: setting.place
                )
            }
            return nil
        }
        let rule = options.requiredString("rule", "the name of the rule that sends it")
        let sink = options.requiredString("sink", "the name of the sink it goes to")
        if !rule.isEmpty, !self.rules.contains(rule) {
            self.diagnostics.error(
                "there is no rule '\(rule)'\(Spelling.hint(for: rule, among: self.rules))",
                at: options.place(of: "rule")
            )
        }
        if let sinks, !sink.isEmpty, !sinks.contains(sink) {
            self.diagnostics.error(
                "there is no sink '\(sink)'\(Spelling.hint(for: sink, among: sinks))",
                at: options.place(of: "sink")
            )
        }
        let delivery = ExpectedDelivery(
            rule: rule,
            sink: sink,
            title: options.string("title"),
            message: options.string("message"),
            body: options.optional("body"),
            place: setting.place
        )
        options.finish()
        return delivery
    }
}

extension Setting {
    /// The value as JSON.
    package var json: String {
        switch self.value {
        case .null, .mistaken: "null"
        case .bool(let bool): bool ? "true" : "false"
        case .number(_, let text): text
        case .string(let text): JSONText.string(text)
        case .list(let elements): JSONText.array(elements.map(\.json))
        case .map(let members): JSONText.object(members.map { ($0.key, $0.setting.json) })
        }
    }
}
