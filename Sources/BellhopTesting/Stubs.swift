import Bellhop
import BellhopCore
import Foundation
import Logging

extension Event {
    /// An event with everything defaulted.
    package static func stub(
        id: String = "e1",
        source: String = "relay",
        time: Timestamp = Timestamp(seconds: 1_723_141_540),
        task: String? = nil,
        json: String? = nil
    ) -> Event {
        let data = json ?? "{\"event_id\":\"\(id)\",\"content\":{\"type\":\"start\"}}"
        return Event(source: source, id: id, time: time, task: task, data: Bytes(data))
    }
}

extension ComponentContext {
    package static func stub(
        clock: any WallClock = SystemClock(),
        listener: any HTTPListener = NoListener(),
        logger: Logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
        tally: Tally = Tally(),
        shutdown: Shutdown = Shutdown(),
        folder: String = ".",
        once: Bool = false
    ) -> ComponentContext {
        ComponentContext(
            clock: clock,
            http: HTTPClient(userAgent: "Bellhop-Tests"),
            listener: listener,
            logger: logger,
            tally: tally,
            shutdown: shutdown,
            folder: folder,
            once: once
        )
    }
}

extension Setting {
    /// A setting from JSON text, each at line 1 of `test`; nil where it is no JSON.
    package init?(json text: String) {
        let converted = try? JSONParser().parse(Bytes(text)) { Setting.convert($0) }
        guard let converted else { return nil }
        self = converted
    }

    private static func convert(_ json: JSON) -> Setting {
        let place = Place(file: "test", line: 1, column: 1)
        switch json.kind {
        case .object:
            var members: [Member] = []
            json.forEachMember { name, value in
                members.append(Member(key: name, place: place, setting: self.convert(value)))
                return true
            }
            return Setting(.map(members), at: place)
        case .array:
            var elements: [Setting] = []
            json.forEachElement { element in
                elements.append(self.convert(element))
                return true
            }
            return Setting(.list(elements), at: place)
        case .string: return Setting(.string(json.leaf.text), at: place)
        case .number: return Setting(.number(json.leaf.number ?? .integer(0), text: json.leaf.text), at: place)
        case .bool: return Setting(.bool(json.leaf.bool ?? false), at: place)
        case .null: return Setting(.null, at: place)
        }
    }
}

extension OptionReader {
    /// Options from JSON text.
    package static func stub(_ json: String, _ diagnostics: Diagnostics = Diagnostics()) -> OptionReader {
        let setting = Setting(json: json) ?? Setting(.null, at: Place(file: "test", line: 1, column: 1))
        return OptionReader(setting, owner: "a test", diagnostics: diagnostics)
    }
}

/// A folder of its own that goes with its last user.
package final class TemporaryFolder: Sendable {
    package let path: String

    package init() throws {
        self.path = NSTemporaryDirectory() + "bellhop-test-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: self.path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: self.path) }

    @discardableResult
    package func write(_ name: String, _ text: String) throws -> String {
        let path = "\(self.path)/\(name)"
        try FileManager.default.createDirectory(
            atPath: (path as NSString).deletingLastPathComponent,
            withIntermediateDirectories: true
        )
        try Data(text.utf8).write(to: URL(fileURLWithPath: path))
        return path
    }

    package func read(_ name: String) -> String {
        FileManager.default.contents(atPath: "\(self.path)/\(name)").map { String(decoding: $0, as: UTF8.self) } ?? ""
    }

    package func lines(_ name: String) -> [String] {
        self.read(name).split(separator: "\n").map(String.init)
    }
}

extension Zones {
    /// The machine's, for tests that do not see `Bellhop`.
    package static var machine: Zones { .system }
}

extension Delivery {
    /// A first attempt to `ops`, with a rule of these templates.
    package static func stub(
        _ event: Event,
        title: String? = nil,
        message: String? = nil,
        body: String? = nil
    ) throws -> Delivery {
        let diagnostics = Diagnostics()
        let rule = Rule(
            name: "r",
            title: try title.map { try Template($0, zones: .system) },
            message: try message.map { try Template($0, zones: .system) },
            body: body.flatMap { Setting(json: $0) }.map { BodyTemplate($0, zones: .system, diagnostics) },
            sinks: ["ops"]
        )
        if let mistake = diagnostics.all.first { throw SourceError(mistake.message) }
        return Delivery(id: 1, event: event, rule: rule, sink: "ops", attempt: 1)
    }
}

/// The files that tests read. What they compare long texts with is a file under `Tests/Golden`, written anew where `BELLHOP_REWRITE` is set.
package enum Golden {
    package static func file(_ name: String, _ text: String) throws -> String {
        let path = "\(#filePath)".replacing("Sources/BellhopTesting/Stubs.swift", with: "Tests/Golden/\(name)")
        if ProcessInfo.processInfo.environment["BELLHOP_REWRITE"] != nil {
            let folder = (path as NSString).deletingLastPathComponent
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            try text.write(toFile: path, atomically: true, encoding: .utf8)
        }
        return try String(contentsOfFile: path, encoding: .utf8)
    }

    /// A file under `Tests/Fixtures`.
    package static func fixture(_ name: String) throws -> String {
        let path = "\(#filePath)".replacing("Sources/BellhopTesting/Stubs.swift", with: "Tests/Fixtures/\(name)")
        return try String(contentsOfFile: path, encoding: .utf8)
    }
}

extension Golden {
    /// A file of the machine.
    package static func bytes(_ path: String) -> [UInt8]? {
        FileManager.default.contents(atPath: path).map { Array($0) }
    }
}
