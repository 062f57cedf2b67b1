/// `numeric: [">", 0, "<=", 5]`
package struct NumberRange: Sendable, Hashable {
    package struct Bound: Sendable, Hashable {
        package let number: Number
        package let isInclusive: Bool
    }

    package let lower: Bound?
    package let upper: Bound?

    func contains(_ number: Number) -> Bool {
        if let lower, !(lower.number < number || (lower.isInclusive && lower.number == number)) { return false }
        if let upper, !(number < upper.number || (upper.isInclusive && upper.number == number)) { return false }
        return true
    }

    /// No number can be in it.
    var isEmpty: Bool {
        guard let lower, let upper else { return false }
        if lower.number < upper.number { return false }
        return !(lower.number == upper.number && lower.isInclusive && upper.isInclusive)
    }
}

extension NumberRange: CustomStringConvertible {
    package var description: String {
        var parts: [String] = []
        if let lower { parts.append("\"\(lower.isInclusive ? ">=" : ">")\", \(lower.number)") }
        if let upper { parts.append("\"\(upper.isInclusive ? "<=" : "<")\", \(upper.number)") }
        return "[\(parts.joined(separator: ", "))]"
    }
}
