import BellhopCore
import Foundation

/// How a component's connections are made: whom TLS trusts, which certificate is shown, and through which proxy.
package struct HTTPRoute: Sendable, Hashable {
    package enum TLSVersion: String, Sendable, CaseIterable {
        case v1_2 = "1.2"
        case v1_3 = "1.3"
    }

    package enum Proxy: Sendable, Hashable {
        /// Straight to the host, also where the environment names a proxy.
        case none
        /// `http_proxy`, `HTTPS_PROXY`, `NO_PROXY` and their like, as curl(1) reads them.
        case environment
        /// Its URL may hold a password.
        case url(Secret)
    }

    package var caFile: String?
    package var clientCertificate: String?
    package var clientKey: String?
    package var minimumTLS = TLSVersion.v1_2
    package var proxy = Proxy.none
    /// A connection for each request: for receivers where a request that may have been read must not be repeated.
    package var isFresh = false

    package static let reference = """
        tls: {}                 # { ca_file: ca.pem, client_cert: me.pem, client_key: me.key, min_version: "1.2" }
        proxy: none             # http://, https:// or socks5h://user:password@proxy:3128, or environment
        """

    package init() {}

    /// `tls: { ca_file, client_cert, client_key, min_version }`, `proxy`
    package init(_ options: OptionReader, context: ComponentContext) {
        let tls = options.nested("tls")
        func file(_ key: String) -> String? {
            guard let path = tls.string(key).map(context.path) else { return nil }
            if !FileManager.default.isReadableFile(atPath: path) {
                options.diagnostics.error(
                    "'\(key)': cannot read the file \(path) (\(tls.owner))",
                    at: tls.place(of: key)
                )
            }
            return path
        }
        self.caFile = file("ca_file")
        self.clientCertificate = file("client_cert")
        self.clientKey = file("client_key")
        self.minimumTLS = tls.choice("min_version", default: .v1_2)
        if self.clientKey != nil, self.clientCertificate == nil {
            options.diagnostics.error(
                "'client_key' needs its 'client_cert' (\(tls.owner))",
                at: tls.place(of: "client_key")
            )
        }
        tls.finish()
        switch options.string("proxy") {
        case nil, "none": self.proxy = .none
        case "environment": self.proxy = .environment
        case let url?:
            self.proxy = .url(Secret(url))
            context.redactor.add(Secret(url))
            if let problem = HTTPRoute.problem(proxy: url) {
                options.diagnostics.error("'proxy': \(problem) (\(options.owner))", at: options.place(of: "proxy"))
            }
        }
    }

    private static func problem(proxy url: String) -> String? {
        let schemes = ["http", "https", "socks5", "socks5h"]
        guard let separator = url.firstRange(of: "://"), schemes.contains(url[..<separator.lowerBound].lowercased())
        else { return "is 'none', 'environment', or a URL that begins with \(schemes.joined(separator: "://, "))://" }
        let rest = url[separator.upperBound...]
        guard !rest.contains("#"), !rest.contains("?") else { return "the URL holds '#' or '?'; percent-encode them" }
        var host = rest.prefix { $0 != "/" }.split(separator: "@").last ?? ""
        if let colon = host.lastIndex(of: ":"), !host.hasSuffix("]") {
            guard UInt16(host[host.index(after: colon)...]) != nil else { return "the port is a number up to 65535" }
            host = host[..<colon]
        }
        guard !host.isEmpty else { return "the URL names no host" }
        let isClean = url.unicodeScalars.allSatisfy { $0.value > 32 && $0.value != 127 }
        return isClean ? nil : "the URL holds a space or a control character; percent-encode it"
    }
}
