/// The first place where a body is not as expected.
struct BodyDifference: Hashable {
    /// Like `body.items[2].name`.
    let place: String
    let expected: String
    let actual: String

    /// Nil where they agree. Texts may hold `?` for any text, and a lone `?` is any value; everything else must be equal.
    static func between(_ expected: Setting, _ actual: String) -> BodyDifference? {
        do {
            return try JSONParser().parse(Bytes(actual)) { self.first(expected, $0, at: "body") }
        } catch {
            return BodyDifference(place: "body", expected: expected.json, actual: actual)
        }
    }

    private static func first(_ expected: Setting, _ actual: JSON?, at place: String) -> BodyDifference? {
        let different = BodyDifference(place: place, expected: expected.json, actual: actual?.json ?? "nothing")
        guard let actual else { return different }
        switch expected.value {
        case .string("?"): return nil
        case .string(let text):
            return actual.kind == .string && WildcardText(text).matches(actual.leaf.text) ? nil : different
        case .number(let number, _): return actual.leaf.number == number ? nil : different
        case .bool(let bool): return actual.leaf.bool == bool ? nil : different
        case .null, .mistaken: return actual.kind == .null ? nil : different
        case .list(let elements):
            var found: [BodyDifference] = []
            var count = 0
            guard actual.kind == .array else { return different }
            actual.forEachElement { element in
                defer { count += 1 }
                guard count < elements.count else { return true }
                if let first = self.first(elements[count], element, at: "\(place)[\(count)]") { found.append(first) }
                return true
            }
            return count == elements.count ? found.first : different
        case .map(let members):
            guard actual.kind == .object else { return different }
            for member in members {
                let inner = self.first(member.setting, actual[member.key], at: "\(place).\(member.key)")
                if let inner { return inner }
            }
            var unexpected: BodyDifference?
            actual.forEachMember { name, value in
                guard !members.contains(where: { $0.key.utf8.elementsEqual(name.utf8) }) else { return true }
                unexpected = BodyDifference(place: "\(place).\(name)", expected: "nothing", actual: value.json)
                return false
            }
            return unexpected
        }
    }
}
