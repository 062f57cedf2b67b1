import BellhopCore
import BellhopTesting
import Foundation
import Testing

@testable import Bellhop

@Suite struct SinkTests {
    @Test(arguments: Sinks.all.map { $0.kind }) func `the reference names every option and is without fault`(
        kind: String
    ) throws {
        let type = try #require(Sinks.all.first { $0.kind == kind })
        try ReferenceCheck.run(type) { reader in _ = type.init(name: "s", options: reader, context: .stub()) }
    }
}

extension [Delivery] {
    /// Deliveries of events `{"n":1}` and so on.
    static func stubs(_ ids: ClosedRange<Int>, json: ((Int) -> String)? = nil) -> [Delivery] {
        ids.map { id in
            let event = Event.stub(id: "e\(id)", json: json?(id) ?? "{\"n\":\(id)}")
            return Delivery(id: Int64(id), event: event, rule: Rule(name: "r", sinks: ["s"]), sink: "s", attempt: 1)
        }
    }
}

/// Reads a component's reference as its options.
enum ReferenceCheck {
    static func run(_ type: any Component.Type, _ make: (OptionReader) -> Void) throws {
        let diagnostics = Diagnostics()
        // Every variable it mentions; a URL is good for a key too.
        let names = type.reference.split(separator: "${").dropFirst().map { $0.prefix { $0.isLetter || $0 == "_" } }
        let environment = Dictionary(names.map { (String($0), Self.value(of: $0)) }) { first, _ in first }
        let setting = try #require(ConfigurationReader(environment: environment).setting(type.reference))
        let options = OptionReader(setting, owner: type.kind, diagnostics: diagnostics)
        _ = options.optional("kind")
        make(options)
        options.finish()
        #expect(diagnostics.all.map(\.message) == [])
        let written = Set((setting.members ?? []).map(\.key))
        #expect(Set(options.knownKeys).subtracting(written) == [])
        #expect(options.string("kind") == type.kind)
    }

    private static func value(of name: Substring) -> String {
        if name.hasSuffix("DATASET") { return UUID().uuidString }
        return name == "HOOK_SECRET" ? "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" : "https://example.org/x"
    }
}
