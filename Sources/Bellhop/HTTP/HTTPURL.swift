/// The parts of a URL that may be shown, and whether it may be used.
package struct HTTPURL: Sendable, Hashable {
    package let scheme: String
    /// With the port, where one is given.
    package let host: String

    /// Scheme, name and port: what pauses and rates are shared by.
    package var origin: String {
        let name = self.host.lowercased()
        let hasPort = name.split(separator: "]").last?.contains(":") == true
        return "\(self.scheme)://\(name)\(hasPort ? "" : self.scheme == "https" ? ":443" : ":80")"
    }

    /// - Throws: ``HTTPURLProblem`` with a sentence for the configuration.
    package init(_ url: String) throws(HTTPURLProblem) {
        guard let separator = url.firstRange(of: "://") else {
            throw HTTPURLProblem("a URL begins with https:// or http://")
        }
        let scheme = url[..<separator.lowerBound].lowercased()
        guard scheme == "https" || scheme == "http" else {
            throw HTTPURLProblem("only https:// and http:// are possible, not \(scheme)://")
        }
        let rest = url[separator.upperBound...]
        let host = String(rest.prefix { !"/?#".contains($0) })
        guard !host.isEmpty else { throw HTTPURLProblem("the URL names no host") }
        guard !host.contains("@") else {
            throw HTTPURLProblem("a URL must not hold a user or password; send them in a header")
        }
        guard url.unicodeScalars.allSatisfy({ $0.value > 32 && $0.value != 127 }) else {
            throw HTTPURLProblem("the URL holds a space or a control character; percent-encode it")
        }
        self.scheme = scheme
        self.host = host
    }
}

package struct HTTPURLProblem: Error, CustomStringConvertible {
    package let description: String

    init(_ description: String) { self.description = description }
}

extension HTTPURL {
    /// By its text alone: good enough for a warning, not for a decision.
    var isLoopback: Bool {
        ["127.0.0.1", "localhost", "[::1]"].contains { self.host == $0 || self.host.hasPrefix("\($0):") }
    }

    /// Stands where a URL was refused, until its error is told.
    static let unknown = HTTPURL(scheme: "https", host: "?")

    private init(scheme: String, host: String) {
        self.scheme = scheme
        self.host = host
    }
}
