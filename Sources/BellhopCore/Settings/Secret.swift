/// A value that must not be seen: a key, a token, a webhook's URL. It prints as `<secret>` wherever it is printed.
package struct Secret: Sendable, Hashable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    private let value: String

    package init(_ value: String) { self.value = value }

    /// The value itself, for the one place that needs it: a header, a URL, a signature.
    package func reveal() -> String { self.value }

    package var isEmpty: Bool { self.value.isEmpty }
    package var description: String { "<secret>" }
    package var debugDescription: String { "<secret>" }
    package var customMirror: Mirror { Mirror(self, children: []) }
}
