import Bellhop
import BellhopCore
import HTTPTypes
import HummingbirdCore
import Logging
import NIOCore
import NIOPosix
import Synchronization

/// One listening address, and the services that share it.
final class ListenerSite: Sendable {
    typealias HTTPServer = Server<HTTP1Channel>

    /// A server that takes connections.
    struct Running: Sendable {
        let server: HTTPServer
        /// What takes the connections.
        let channel: any NIOCore.Channel
        /// Ends with the server.
        let task: Task<Void, Never>

        var port: Int { self.channel.localAddress?.port ?? 0 }
    }

    private struct State {
        var gates: [String: ServiceGate] = [:]
        var start: Task<Running, any Error>?
    }

    private let address: ListenAddress
    private let limits: ListenerLimits
    private let room: BodyRoom
    private let date = HTTPDate()
    private let state = Mutex(State())

    init(_ address: ListenAddress, _ limits: ListenerLimits) {
        self.address = address
        self.limits = limits
        self.room = BodyRoom(limits.bodies)
    }

    /// The server; the first who asks starts it.
    /// - Throws: why the address cannot be had.
    func open() async throws -> Running {
        let start = self.state.withLock { state in
            let start = state.start ?? Task { try await self.start() }
            state.start = start
            return start
        }
        return try await start.value
    }

    /// - Returns: false where the path is taken.
    func add(_ gate: ServiceGate) -> Bool {
        self.state.withLock { state in
            guard state.gates[gate.service.path] == nil else { return false }
            state.gates[gate.service.path] = gate
            return true
        }
    }

    /// - Returns: whether it was the last.
    func remove(_ gate: ServiceGate) -> Bool {
        self.state.withLock { state in
            state.gates[gate.service.path] = nil
            return state.gates.isEmpty
        }
    }

    /// Takes no more connections, and closes those there are: what is being answered first, but not for long.
    func close(_ running: Running) async {
        // On its own: whoever closes has been cancelled already.
        await Task {
            let cut = Task {
                try await Task.sleep(for: .seconds(2))
                running.task.cancel()
            }
            try? await running.server.shutdownGracefully()
            cut.cancel()
            await running.task.value
        }.value
    }

    private func start() async throws -> Running {
        let quiet = Logger(label: "bellhop.listener") { _ in SwiftLogNoOpLogHandler() }
        let (channels, continuation) = AsyncThrowingStream<any NIOCore.Channel, any Error>.makeStream()
        let limits = self.limits
        let decoder = HTTP1Channel.Configuration.DecoderConfiguration(
            maxHeaderFieldSize: limits.headSize,
            maxHeaderListSize: limits.headSize,
            maxHeaderFieldCount: 100
        )
        let server = HTTPServer(
            childChannelSetup: HTTP1Channel(
                responder: { request, writer, channel in
                    let gate = self.gate(of: request, channel)
                    // Not before the answer is written: a sender that did not see it would send again.
                    defer { gate?.leave(channel) }
                    let (head, body) = self.written(await self.answer(to: request, gate))
                    // An answer to HEAD only says how long its body would be.
                    try await writer.write(response: head, body: request.method == .head ? ResponseBody() : body)
                },
                configuration: HTTP1Channel.Configuration(
                    additionalChannelHandlers: [ConnectionDeadline(limits)],
                    httpDecoderConfiguration: decoder
                )
            ),
            configuration: ServerConfiguration(
                address: .hostname(self.address.host, port: self.address.port),
                backlog: 1024,
                availableConnectionsDelegate: MaximumAvailableConnections(limits.connections, logger: quiet)
            ),
            onServerRunning: { continuation.yield($0) },
            eventLoopGroup: MultiThreadedEventLoopGroup.singleton,
            logger: quiet
        )
        let task = Task {
            do {
                try await server.run()
                continuation.finish()
            } catch {
                continuation.finish(throwing: error)
            }
        }
        for try await channel in channels { return Running(server: server, channel: channel, task: task) }
        throw ListenerError("it was closed")
    }

    /// The service of a request's path, entered; nil where there is none.
    private func gate(of request: Request, _ channel: any NIOCore.Channel) -> ServiceGate? {
        let path = request.uri.path
        return self.state.withLock { $0.gates[path] }.flatMap { $0.enter(channel) ? $0 : nil }
    }

    private func answer(to request: Request, _ gate: ServiceGate?) async -> InboundAnswer {
        guard let service = gate?.service else {
            let path = request.uri.path
            guard self.state.withLock({ $0.gates[path] == nil }) else {
                let headers = [(name: "retry-after", value: "5")]
                return InboundAnswer(problem: 503, "it is being shut down; send it again", headers: headers)
            }
            return InboundAnswer(problem: 404, "nothing is taken at this path")
        }
        let share = BodyShare(of: self.room)
        let inbound = InboundRequest(
            method: request.method.rawValue,
            query: request.uri.query ?? "",
            headers: request.headers.map { (name: $0.name.canonicalName, value: $0.value) },
            body: { () async throws(InboundAnswer) -> Bytes in
                try await share.read(request, upTo: service.bodyLimit)
            }
        )
        return await service.answer(inbound)
    }

    private func written(_ answer: InboundAnswer) -> (HTTPTypes.HTTPResponse, ResponseBody) {
        var fields = HTTPFields()
        fields[.date] = self.date.text
        fields[.contentLength] = "\(answer.body.utf8.count)"
        for (name, value) in answer.headers {
            if let name = HTTPField.Name(name) { fields.append(HTTPField(name: name, value: value)) }
        }
        let head = HTTPTypes.HTTPResponse(status: .init(code: answer.status), headerFields: fields)
        return (head, answer.body.isEmpty ? ResponseBody() : ResponseBody(byteBuffer: ByteBuffer(string: answer.body)))
    }
}
