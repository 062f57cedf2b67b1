import BellhopCore
import BellhopSimulator
import BellhopTesting
import Foundation
import Synchronization

@testable import Bellhop

/// What a simulated API has, and whether it works.
final class StagedItems: Sendable {
    private struct State {
        var items: [(id: String, time: Timestamp, isEvent: Bool)] = []
        var isFailing = false
        var clock: (any WallClock)?
    }

    private let state = Mutex(State())

    var isFailing: Bool {
        get { self.state.withLock { $0.isFailing } }
        set { self.state.withLock { $0.isFailing = newValue } }
    }

    /// In the order of time, which is that in which they came.
    var all: [(id: String, time: Timestamp, isEvent: Bool)] { self.state.withLock { $0.items } }

    /// They happen now, a microsecond apart: what shows up long after its time is nothing that a source must find.
    func add(_ ids: [String], areEvents: Bool = true) {
        self.state.withLock { state in
            let now = state.clock?.now() ?? Timestamp(seconds: 1_790_000_000)
            for id in ids {
                let next = (state.items.last?.time ?? .distantPast) + .microseconds(1)
                state.items.append((id, max(next, now.flooredToSecond), areEvents))
            }
        }
    }

    /// The clock that events happen by: the source's.
    func use(_ clock: any WallClock) { self.state.withLock { $0.clock = clock } }
}

/// An API that is polled.
protocol PolledStage: SourceStage {
    var items: StagedItems { get }
    var server: SimulatedServer { get }
}

extension PolledStage {
    var listener: any HTTPListener { NoListener() }

    func tell(_ ids: [String]) async throws { self.items.add(ids) }
    func tellNonsense() async throws { self.items.add(["x"], areEvents: false) }
    func fail(_ isFailing: Bool) async throws { self.items.isFailing = isFailing }
    func close() async { await self.server.close() }

    /// A server that fails where it shall, and otherwise answers with what is there.
    static func server(
        _ items: StagedItems,
        secret: String,
        _ answer: @escaping @Sendable (SimulatedRequest) -> SimulatedAnswer
    ) async throws -> SimulatedServer {
        try await SimulatedServer { request in
            if items.isFailing {
                return SimulatedAnswer(status: 503, body: "Authorization: \(secret) is not served now")
            }
            return answer(request)
        }
    }
}

struct RelayProStage: PolledStage {
    static let kind = RelayProSource.kind
    let items = StagedItems()
    let server: SimulatedServer
    let secret = "relay-key-0123456789"

    init() async throws {
        let items = self.items
        self.server = try await Self.server(items, secret: self.secret) { request in
            let oldest = Timestamp(request.query["oldest"] ?? "") ?? .distantPast
            let limit = Int(request.query["limit"] ?? "") ?? 100
            let page = items.all.filter { $0.time >= oldest }.prefix(limit).map { item in
                item.isEvent
                    ? "{\"event_id\":\"\(item.id)\",\"timestamp\":\"\(item.time.formatted(.microseconds))\"}"
                    : "\"nonsense\""
            }
            return SimulatedAnswer(body: JSONText.array(page))
        }
    }

    func source(_ context: ComponentContext) throws -> any Source {
        let options =
            "{\"subscriber_id\":\"s\",\"api_key\":\"\(self.secret)\",\"base_url\":\"\(self.server.url)\",\"page_limit\":10}"
        self.items.use(context.clock)
        return RelayProSource(name: "source", options: .stub(options), context: context)
    }
}

struct HTTPPollStage: PolledStage {
    static let kind = HTTPPollSource.kind
    let items = StagedItems()
    let server: SimulatedServer
    let secret = "poll-token-0123456789"

    init() async throws {
        let items = self.items
        self.server = try await Self.server(items, secret: self.secret) { request in
            let since = Timestamp(request.query["since"] ?? "") ?? .distantPast
            let page = items.all.filter { $0.time >= since }.prefix(100).map { item in
                item.isEvent
                    ? "{\"id\":\"\(item.id)\",\"timestamp\":\"\(item.time.formatted(.seconds))\"}" : "[\"nonsense\"]"
            }
            return SimulatedAnswer(body: JSONText.array(page))
        }
    }

    func source(_ context: ComponentContext) throws -> any Source {
        let options =
            "{\"url\":\"\(self.server.url)/list\",\"headers\":{\"Authorization\":\"Bearer \(self.secret)\"},\"cursor\":{\"query\":\"since\",\"from\":\"last_time\"}}"
        self.items.use(context.clock)
        return HTTPPollSource(name: "source", options: .stub(options), context: context)
    }
}

struct TrieveStage: PolledStage {
    static let kind = TrieveSource.kind
    private static let dataset = "7b0d6b7e-3c6a-4c55-9b5c-0d6d5b9a1f00"
    let items = StagedItems()
    let server: SimulatedServer
    let secret = "tr-key-0123456789"

    init() async throws {
        let items = self.items
        let secret = self.secret
        self.server = try await Self.server(items, secret: secret) { request in
            var settings = TrieveSimulator.Settings()
            (settings.dataset, settings.apiKey) = (Self.dataset, secret)
            let rows = items.all.enumerated().map { number, item in
                // Trieve names events by UUIDs; nonsense is a row without.
                let id = item.isEvent ? Self.uuid(item.id) : ""
                return TrieveSimulator.Row(
                    id: id,
                    createdAt: item.time.flooredToSecond,
                    dataset: Self.dataset,
                    number: number
                )
            }
            return TrieveSimulator(settings, rows: rows) { .distantFuture }.answer(request)
        }
    }

    func source(_ context: ComponentContext) throws -> any Source {
        let options =
            "{\"dataset\":\"\(Self.dataset)\",\"api_key\":\"\(self.secret)\",\"base_url\":\"\(self.server.url)\",\"page_limit\":10}"
        self.items.use(context.clock)
        return TrieveSource(name: "source", options: .stub(options), context: context)
    }

    func id(_ name: String) -> String { Self.uuid(name) }

    private static func uuid(_ id: String) -> String {
        let digits = String(id.dropFirst())
        return "00000000-0000-0000-0000-" + String(repeating: "0", count: 12 - digits.count) + digits
    }
}

struct FileStage: SourceStage {
    static let kind = FileSource.kind
    let listener: any HTTPListener = NoListener()
    let secret = "a file has no secret"
    private let folder: TemporaryFolder
    private let path: String

    init() async throws {
        self.folder = try TemporaryFolder()
        self.path = self.folder.path + "/in.ndjson"
        _ = FileManager.default.createFile(atPath: self.path, contents: nil)
    }

    func source(_ context: ComponentContext) throws -> any Source {
        FileSource(name: "source", options: .stub("{\"path\":\"\(self.path)\",\"follow\":true}"), context: context)
    }

    func tell(_ ids: [String]) async throws { try self.append(ids.map { "{\"event_id\":\"\($0)\"}\n" }.joined()) }
    func tellNonsense() async throws { try self.append("nonsense\n") }

    /// A file that is not there, as while somebody moves it.
    func fail(_ isFailing: Bool) async throws {
        let away = self.path + ".away"
        try FileManager.default.moveItem(atPath: isFailing ? self.path : away, toPath: isFailing ? away : self.path)
    }

    func close() async {}

    private func append(_ text: String) throws {
        let handle = try FileHandle(forWritingTo: URL(fileURLWithPath: self.path))
        try handle.seekToEnd()
        try handle.write(contentsOf: Data(text.utf8))
        try handle.close()
    }
}

/// Senders who send again until they are told that it was taken, as those of webhooks do.
struct HooksStage: SourceStage {
    static let kind = HooksSource.kind
    let secret = "hooks-token-0123456789"
    private let direct = DirectListener()
    var listener: any HTTPListener { self.direct }

    init() async throws {}

    func source(_ context: ComponentContext) throws -> any Source {
        let options = "{\"verify\":{\"scheme\":\"bearer\",\"token\":\"\(self.secret)\"}}"
        return HooksSource(name: "source", options: .stub(options), context: context)
    }

    func tell(_ ids: [String]) async throws {
        for id in ids { try await self.send("{\"event_id\":\"\(id)\"}", until: 202) }
    }

    func tellNonsense() async throws { try await self.send("\"nonsense\"", until: 400) }
    /// Somebody else has the address.
    func fail(_ isFailing: Bool) async throws { self.direct.block(isFailing) }
    func close() async {}

    private func send(_ body: String, until status: Int) async throws {
        let headers = [(name: "content-type", value: "application/json"), ("authorization", "Bearer \(self.secret)")]
        while await self.direct.send(to: "/hooks", body, headers: headers)?.status != status {
            try Task.checkCancellation()
            try await Task.sleep(for: .milliseconds(1))
        }
    }
}
