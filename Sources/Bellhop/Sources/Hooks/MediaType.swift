import BellhopCore

/// What a Content-Type says.
struct MediaType {
    /// In lower case, like `application/json`; empty where there is none.
    let type: String
    /// Another charset than UTF-8.
    let isForeign: Bool

    init(_ header: String?) {
        let parts = (header ?? "").lowercased().split(separator: ";").map { String($0).trimmingSpaces }
        self.type = parts.first ?? ""
        self.isForeign = parts.dropFirst().contains { part in
            let name = part.replacing("\"", with: "")
            return name.hasPrefix("charset=") && !["charset=utf-8", "charset=utf8", "charset=us-ascii"].contains(name)
        }
    }

    var isJSON: Bool { self.type == "application/json" || self.type == "text/json" || self.type.hasSuffix("+json") }
}
