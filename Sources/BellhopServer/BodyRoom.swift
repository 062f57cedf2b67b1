import Bellhop
import BellhopCore
import HTTPTypes
import HummingbirdCore
import NIOCore
import Synchronization

/// The memory that bodies may take together: as many connections as there may be, each with the longest body, would be
/// too much.
final class BodyRoom: Sendable {
    private let limit: Int
    private let used = Mutex(0)

    init(_ limit: Int) { self.limit = limit }

    fileprivate func take(_ count: Int) -> Bool {
        self.used.withLock { used in
            guard used + count <= self.limit else { return false }
            used += count
            return true
        }
    }

    fileprivate func give(_ count: Int) { self.used.withLock { $0 -= count } }
}

/// What one request has of the room; goes back with it.
final class BodyShare: Sendable {
    private let room: BodyRoom
    private let taken = Mutex(0)

    init(of room: BodyRoom) { self.room = room }

    deinit { self.room.give(self.taken.withLock { $0 }) }

    /// - Throws: the answer to a body that is too long, or has no room.
    func read(_ request: Request, upTo limit: Int) async throws(InboundAnswer) -> Bytes {
        let tooLong = InboundAnswer(problem: 413, "a body has at most \(limit) bytes here")
        let announced = request.headers[.contentLength].flatMap { Int($0) } ?? 0
        if announced > limit { throw tooLong }
        var builder = BytesBuilder(capacity: min(announced, 64 * 1024))
        var parts = request.body.makeAsyncIterator()
        while true {
            let part: ByteBuffer?
            do {
                part = try await parts.next()
            } catch {
                // Its sender has gone: nobody reads this.
                throw InboundAnswer(problem: 400, "the body ended early")
            }
            guard let part else { return builder.build() }
            if builder.count + part.readableBytes > limit { throw tooLong }
            guard self.room.take(part.readableBytes) else {
                let headers = [(name: "retry-after", value: "1")]
                throw InboundAnswer(problem: 503, "too much is being sent at once; send it again", headers: headers)
            }
            self.taken.withLock { $0 += part.readableBytes }
            part.withUnsafeReadableBytes { builder.append($0) }
        }
    }
}
