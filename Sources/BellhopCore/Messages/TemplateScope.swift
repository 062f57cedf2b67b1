import Mustache

/// What the tags of one template find while it is rendered.
struct TemplateScope {
    let context: MessageContext
    let names: [String]
    let filters: [TemplateFilter]
    let escape: (String) -> String

    /// A name as ``TemplateScanner`` wrote it.
    struct Key {
        enum Want { case way, text, section }

        let want: Want
        /// Nothing found here may be found further out.
        let isFirst: Bool
        let name: String
    }

    func key(_ code: String) -> Key? {
        guard let letter = code.utf8.first, let number = Int(code.dropFirst()), self.names.indices.contains(number)
        else {
            return nil
        }
        let want: Key.Want =
            switch letter | 0x20 {
            case UInt8(ascii: "n"): .way
            case UInt8(ascii: "v"): .text
            default: .section
            }
        return Key(want: want, isFirst: letter & 0x20 == 0, name: self.names[number])
    }

    /// What swift-mustache gets for a value, or for one that is not there.
    func found(_ value: JSON?, _ key: Key) -> Any? {
        guard let value else {
            return key.isFirst || key.want == .section ? nil : TemplateValue(scope: self, content: .nothing)
        }
        if key.want == .section {
            switch value.kind {
            case .null: return nil
            case .bool: return value.leaf.bool
            case .string where value.leaf.text.isEmpty: return nil
            case .array:
                var elements: [Any] = []
                value.forEachElement { element in
                    elements.append(TemplateValue(scope: self, content: .json(element)))
                    return true
                }
                return elements
            default: break
            }
        }
        return TemplateValue(scope: self, content: .json(value))
    }

    func found(_ text: String?, _ key: Key) -> Any? {
        guard let text, !text.isEmpty else { return self.found(nil as JSON?, key) }
        return TemplateValue(scope: self, content: .text(text))
    }
}

/// The outermost scope: the event's fields and Bellhop's names.
struct TemplateRoot: MustacheParent, MustacheCustomRenderable {
    let scope: TemplateScope

    var renderText: String { "" }
    var isNull: Bool { false }

    func child(named code: String) -> Any? {
        guard let key = self.scope.key(code) else { return nil }
        if key.want == .way, MessageContext.ownNames.contains(key.name) {
            return TemplateValue(scope: self.scope, content: .own(key.name))
        }
        return self.scope.found(self.scope.context.document[key.name], key)
            // Nothing is further out, and filters want to see that.
            ?? (key.want == .section ? nil : TemplateValue(scope: self.scope, content: .nothing))
    }
}

/// A value on its way into a text.
struct TemplateValue: MustacheParent, MustacheCustomRenderable, MustacheTransformable {
    enum Content {
        case json(JSON)
        case text(String)
        /// `event`, `rule` or `lifecycle`.
        case own(String)
        case nothing
    }

    let scope: TemplateScope
    let content: Content

    var renderText: String { self.scope.escape(self.text) }
    var isNull: Bool { false }

    private var text: String {
        switch self.content {
        case .json(let json): json.text
        case .text(let text): text
        case .own, .nothing: ""
        }
    }

    func child(named code: String) -> Any? {
        guard let key = self.scope.key(code) else { return nil }
        switch self.content {
        case .json(let json): return self.scope.found(json[key.name], key)
        case .own("event") where key.name == "data":
            return self.scope.found(self.scope.context.data, key)
        case .own(let own): return self.scope.found(self.scope.context.text(own, key.name), key)
        case .text, .nothing: return self.scope.found(nil as JSON?, key)
        }
    }

    func transform(_ code: String) -> Any? {
        guard let number = Int(code.dropFirst()), self.scope.filters.indices.contains(number) else { return nil }
        let filter = self.scope.filters[number]
        let text =
            switch self.content {
            case .json(let json) where filter.wantsJSON: filter.apply(json.json)
            case .json(let json): filter.apply(json.text)
            case .text(let text): filter.apply(filter.wantsJSON ? JSONText.string(text) : text)
            case .own, .nothing: filter.apply(filter.wantsJSON ? "null" : "")
            }
        return TemplateValue(scope: self.scope, content: .text(text))
    }
}

extension JSON {
    /// For people: leaves as they are, lists of leaves with commas, everything else as JSON.
    fileprivate var text: String {
        switch self.kind {
        case .object: return self.json
        case .array:
            var texts: [String] = []
            var isFlat = true
            self.forEachElement { element in
                isFlat = element.kind != .array && element.kind != .object
                texts.append(element.leaf.text)
                return isFlat
            }
            return isFlat ? texts.joined(separator: ", ") : self.json
        default: return self.leaf.text
        }
    }
}
