import Mustache

/// Text with an event's fields in it: Mustache, and filters like `{{event.time | time "%H:%M" Europe/Berlin}}`.
///
/// Checked and compiled when it is read; rendering cannot fail.
package struct Template: Sendable, Hashable {
    package let source: String
    /// The fields it asks for, as written: inside a section they may be relative to it.
    package let fields: [Field]
    /// Nil for a text without tags.
    private let compiled: MustacheTemplate?
    private let names: [String]
    private let filters: [TemplateFilter]
    /// Set where the template is one `{{{field}}}` and nothing else.
    package let soleField: FieldPath?

    /// A field a template asks for.
    package struct Field: Sendable, Hashable {
        package let path: FieldPath
        /// It stands inside a section, so it may be a field of what the section is about.
        package let isInSection: Bool
    }

    /// - `zones`: where the filter `time` finds its time zones.
    /// - Throws: ``TemplateError`` that quotes what is wrong.
    package init(_ source: String, zones: Zones = .utcOnly) throws(TemplateError) {
        var scanner = TemplateScanner(source, zones: zones)
        try scanner.scan()
        do {
            self.compiled = scanner.hasTags ? try MustacheTemplate(string: scanner.rewritten) : nil
        } catch {
            // The scanner has refused all that it may, so this is a gap between the two.
            throw .unreadable("\(error)")
        }
        self.source = source
        self.fields = scanner.fields
        self.names = scanner.names
        self.filters = scanner.filters
        self.soleField = scanner.soleField
    }

    /// - `escape`: makes a value harmless where the text goes, also in `{{{field}}}`: what a message may contain is
    ///   decided by where it goes. The template's own text is left as it is.
    package func render(_ context: MessageContext, escape: @escaping (String) -> String) -> String {
        guard let compiled else { return self.source }
        let scope = TemplateScope(context: context, names: self.names, filters: self.filters, escape: escape)
        return compiled.render(TemplateRoot(scope: scope))
    }

    package static func == (left: Template, right: Template) -> Bool {
        left.source.utf8.elementsEqual(right.source.utf8)
    }

    package func hash(into hasher: inout Hasher) { hasher.combine(self.source) }
}

package enum TemplateError: Error, Hashable, CustomStringConvertible {
    case unclosedTag(String)
    case unclosedSection(String)
    case closesNothing(String)
    case closesOther(String, open: String)
    case unsupported(String)
    case badField(tag: String, reason: String)
    case badFilter(tag: String, reason: String)
    case unreadable(String)

    package var description: String {
        switch self {
        case .unclosedTag(let rest): "'\(rest)' is never closed; write {{field.name}}"
        case .unclosedSection(let name): "the section {{#\(name)}} is never closed; end it with {{/\(name)}}"
        case .closesNothing(let name): "{{/\(name)}} closes a section that was never opened"
        case .closesOther(let name, let open): "{{/\(name)}} closes the section {{#\(open)}}; write {{/\(open)}}"
        case .unsupported(let tag):
            "\(tag) is a part of Mustache that messages do not have; there are fields, sections, comments and filters"
        case .badField(let tag, let reason), .badFilter(let tag, let reason): "\(tag): \(reason)"
        case .unreadable(let reason): "it cannot be read as Mustache: \(reason)"
        }
    }
}
