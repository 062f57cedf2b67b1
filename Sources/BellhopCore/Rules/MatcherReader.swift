/// Reads what stands at a leaf of a pattern: a scalar, or a list of scalars and operators.
struct MatcherReader {
    static let operators: Set<String> = [
        "prefix", "suffix", "equals-ignore-case", "wildcard", "anything-but", "numeric", "exists", "cidr", "after",
        "before", "during", "regex",
    ]

    private let diagnostics: Diagnostics
    private let zones: Zones

    init(_ diagnostics: Diagnostics, zones: Zones) {
        self.diagnostics = diagnostics
        self.zones = zones
    }

    func matchers(_ setting: Setting, field: String) -> [Matcher] {
        let elements = setting.elementsOrSelf
        if elements.isEmpty {
            self.diagnostics.error(
                "an empty list can never match; list at least one value for '\(field)'",
                at: setting.place
            )
        }
        return elements.compactMap { self.matcher($0) }
    }

    private func matcher(_ setting: Setting) -> Matcher? {
        if let scalar = self.scalar(setting) { return scalar }
        if setting.isMistaken { return nil }
        guard let members = setting.members else {
            return self.refuse("a list inside a list of values; write the values in one list", setting.place)
        }
        guard let member = members.first, members.count == 1 else {
            return self.refuse("an operator is a mapping with one key, like { prefix: fire- }", setting.place)
        }
        return self.operation(member)
    }

    private func operation(_ member: Setting.Member) -> Matcher? {
        let operand = member.setting
        switch member.key {
        case "prefix": return self.text(operand, member.key, foldable: true).map { .prefix($0) }
        case "suffix": return self.text(operand, member.key, foldable: true).map { .suffix($0) }
        case "equals-ignore-case":
            return self.text(operand, member.key, mayBeEmpty: true).map { .string(.init($0.text, ignoresCase: true)) }
        case "wildcard": return self.wildcard(operand)
        case "numeric": return self.numeric(operand)
        case "cidr":
            guard let range = operand.text.flatMap({ AddressRange(masking: $0) }) else {
                return self.refuse(
                    "'cidr' is a range of addresses like 10.0.0.0/8 or fd00::/8, not \(operand.shown)",
                    operand.place
                )
            }
            return .cidr(range)
        case "after", "before":
            guard case .string(let text) = operand.value, let time = Timestamp(text) else {
                let example = "2026-11-21T03:00:00Z"
                return self.refuse("'\(member.key)' is a time like \(example), not \(operand.shown)", operand.place)
            }
            return member.key == "after" ? .after(time) : .before(time)
        case "during":
            return TimeWindowReader(diagnostics: self.diagnostics, zones: self.zones).window(operand).map {
                .during($0)
            }
        case "regex": return self.regex(operand)
        case "exists":
            guard case .bool(let bool) = operand.value else {
                return self.refuse("'exists' is true or false, not \(operand.shown)", operand.place)
            }
            return .exists(bool)
        case "anything-but": return self.anythingBut(operand)
        default:
            let hint = Spelling.hint(for: member.key, among: MatcherReader.operators)
            return self.refuse("unknown operator '\(member.key)'\(hint)", member.place)
        }
    }

    private func scalar(_ setting: Setting) -> Matcher? {
        switch setting.value {
        case .null: .null
        case .bool(let bool): .bool(bool)
        case .number(let number, _): .number(number)
        case .string(let text): .string(.init(text))
        case .list, .map, .mistaken: nil
        }
    }

    /// - `foldable`: whether `{ equals-ignore-case: … }` may stand in the text's place.
    private func text(
        _ setting: Setting,
        _ name: String,
        foldable: Bool = false,
        mayBeEmpty: Bool = false
    ) -> Matcher.Text? {
        switch setting.value {
        case .string(let text):
            guard !text.isEmpty || mayBeEmpty else {
                self.diagnostics.error(
                    "'\(name)' is empty, which every text has; use { exists: true }",
                    at: setting.place
                )
                return nil
            }
            return .init(text)
        case .map(let members):
            if foldable, let member = members.first, members.count == 1, member.key == "equals-ignore-case" {
                return self.text(member.setting, "\(name): { equals-ignore-case }").map {
                    .init($0.text, ignoresCase: true)
                }
            }
        case .null, .bool, .number, .list, .mistaken: break
        }
        self.diagnostics.error(
            "'\(name)' takes a text, not \(setting.shown)\(self.quoteHint(setting))",
            at: setting.place
        )
        return nil
    }

    private func quoteHint(_ setting: Setting) -> String {
        switch setting.value {
        case .number(_, let text): "; quote it: \"\(text)\""
        case .bool(let bool): "; quote it: \"\(bool)\""
        default: ""
        }
    }

    private func wildcard(_ setting: Setting) -> Matcher? {
        guard let text = self.text(setting, "wildcard", mayBeEmpty: true)?.text else { return nil }
        do {
            return .wildcard(try Wildcard(text))
        } catch {
            return self.refuse("wildcard '\(text)': \(error)", setting.place)
        }
    }

    private func regex(_ setting: Setting) -> Matcher? {
        guard let text = self.text(setting, "regex")?.text else { return nil }
        do {
            return .regex(try RegularExpression(text))
        } catch {
            return self.refuse("regex '\(text)': \(error)", setting.place)
        }
    }

    private func anythingBut(_ setting: Setting) -> Matcher? {
        if let member = setting.members?.first {
            let nested: Set<String> = ["prefix", "suffix", "wildcard", "equals-ignore-case"]
            guard setting.members?.count == 1, nested.contains(member.key) else {
                let known = nested.sorted().joined(separator: ", ")
                return self.refuse("'anything-but' takes values, a list of them, or one of \(known)", member.place)
            }
            let each = member.setting.elementsOrSelf.map {
                Setting.Member(key: member.key, place: member.place, setting: $0)
            }
            guard !each.isEmpty else { return self.refuse("an empty list excludes nothing", member.setting.place) }
            return .anythingBut(each.compactMap { self.operation($0) })
        }
        let excluded = setting.elementsOrSelf
        guard !excluded.isEmpty else { return self.refuse("an empty list excludes nothing", setting.place) }
        return .anythingBut(
            excluded.compactMap { element in
                self.scalar(element)
                    ?? self.refuse("'anything-but' lists plain values, not \(element.shown)", element.place)
            }
        )
    }

    private func numeric(_ setting: Setting) -> Matcher? {
        let form = "'numeric' is a comparison and a number, or two of them: [\">\", 0, \"<=\", 5]"
        guard let items = setting.elements, items.count == 2 || items.count == 4 else {
            return self.refuse("\(form), not \(setting.shown)", setting.place)
        }
        var lower: NumberRange.Bound?
        var upper: NumberRange.Bound?
        for index in stride(from: 0, to: items.count, by: 2) {
            guard case .string(let comparison) = items[index].value else {
                return self.refuse(form, items[index].place)
            }
            guard case .number(let number, _) = items[index + 1].value else {
                return self.refuse("\(form); \(items[index + 1].shown) is no number", items[index + 1].place)
            }
            switch comparison {
            case ">" where lower == nil, ">=" where lower == nil:
                lower = .init(number: number, isInclusive: comparison == ">=")
            case "<" where upper == nil, "<=" where upper == nil:
                upper = .init(number: number, isInclusive: comparison == "<=")
            case "=" where items.count == 2:
                return .number(number)
            default:
                return self.refuse("\(form); '\(comparison)' does not fit here", items[index].place)
            }
        }
        let range = NumberRange(lower: lower, upper: upper)
        guard !range.isEmpty else { return self.refuse("no number is in this range", setting.place) }
        return .range(range)
    }

    private func refuse(_ message: String, _ place: Place) -> Matcher? {
        self.diagnostics.error(message, at: place)
        return nil
    }
}
