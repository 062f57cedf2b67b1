import BellhopCore
import BellhopSimulator
import BellhopTesting
import Synchronization
import Testing

@testable import Bellhop

extension Faults {
    /// Everything a receiver can do to a sender, through the whole pipeline: nothing is lost, nothing comes twice under
    /// another name, and each task keeps its order.
    @Suite struct MatrixTests {
        struct Fault: Sendable, CustomTestStringConvertible {
            let testDescription: String
            var script: [SimulatedAnswer] = []
            /// Requests from the first that are reset before their body is read.
            var resets = 0
            /// Attempts that must not count.
            var isFree = false
            /// May the receiver have taken what the sender sends again?
            var mayRepeat = false

            static func times(_ count: Int, _ answer: SimulatedAnswer) -> [SimulatedAnswer] {
                Array(repeating: answer, count: count)
            }
        }

        /// `Sun, 06 Nov 1994 08:49:37 GMT`, so many seconds from now.
        private static func date(in seconds: Int64) -> String {
            let time = Timestamp(seconds: SystemClock().now().seconds + seconds)
            let text = time.formatted(.seconds)
            let names = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
            let month = names[(Int(text.dropFirst(5).prefix(2)) ?? 1) - 1]
            return "Mon, \(text.dropFirst(8).prefix(2)) \(month) \(text.prefix(4)) \(text.dropFirst(11).prefix(8)) GMT"
        }

        static let faults: [Fault] = [
            Fault(testDescription: "500 for 40 attempts", script: Fault.times(40, SimulatedAnswer(status: 500))),
            Fault(
                testDescription: "429, Retry-After in seconds",
                script: Fault.times(3, SimulatedAnswer(status: 429, headers: [("Retry-After", "1")])),
                isFree: true
            ),
            Fault(
                testDescription: "429, Retry-After as a date",
                script: Fault.times(3, SimulatedAnswer(status: 429, headers: [("Retry-After", Self.date(in: 2))])),
                isFree: true
            ),
            Fault(
                testDescription: "429, retry_after in JSON",
                script: Fault.times(9, SimulatedAnswer(status: 429, body: #"{"retry_after":0.1}"#)),
                isFree: true
            ),
            Fault(
                testDescription: "429 and no more",
                script: Fault.times(2, SimulatedAnswer(status: 429)),
                isFree: true
            ),
            Fault(
                testDescription: "503 with Retry-After",
                script: Fault.times(3, SimulatedAnswer(status: 503, headers: [("Retry-After", "1")]))
            ),
            Fault(testDescription: "reset before the body is read", resets: 12),
            Fault(
                testDescription: "reset after the body was read",
                script: Fault.times(12, SimulatedAnswer(fault: .reset)),
                mayRepeat: true
            ),
            Fault(
                testDescription: "half an answer",
                script: Fault.times(12, SimulatedAnswer(body: "0123456789", fault: .cutShort)),
                mayRepeat: true
            ),
            Fault(
                testDescription: "a head that never ends",
                script: Fault.times(5, SimulatedAnswer(fault: .halfHead)),
                mayRepeat: true
            ),
            Fault(
                testDescription: "a body that never ends",
                script: Fault.times(5, SimulatedAnswer(body: "0123456789", fault: .stall)),
                mayRepeat: true
            ),
            Fault(
                testDescription: "an answer after the sender's patience",
                script: Fault.times(5, SimulatedAnswer(delay: .seconds(1))),
                mayRepeat: true
            ),
            Fault(
                testDescription: "no answer at all",
                script: Fault.times(5, SimulatedAnswer(fault: .silence)),
                mayRepeat: true
            ),
            Fault(
                testDescription: "a bit of everything",
                script: (0..<60).map { number in
                    switch number % 6 {
                    case 0: SimulatedAnswer(status: 502)
                    case 1: SimulatedAnswer(fault: .reset)
                    case 2: SimulatedAnswer(status: 429, body: #"{"retry_after":0.02}"#)
                    case 3: SimulatedAnswer(body: "0123456789", fault: .cutShort)
                    case 4: SimulatedAnswer(status: 408)
                    default: SimulatedAnswer(body: "ok")
                    }
                },
                mayRepeat: true
            ),
        ]

        @Test(arguments: Self.faults) func `whatever a receiver does, every event arrives, in order, under one name`(
            fault: Fault
        ) async throws {
            let receiver = ReceiverSimulator()
            receiver.change { $0.script = fault.script }
            let resets = Atomic(fault.resets)
            let server = try await SimulatedServer(
                resets: { path in
                    path == "/hook" && resets.wrappingSubtract(1, ordering: .relaxed).oldValue > 0
                },
                answer: { receiver.answer($0) }
            )
            let calm = ReceiverSimulator()
            let calmServer = try await SimulatedServer { calm.answer($0) }
            let context = ComponentContext.stub(once: true)
            let spool = try SQLiteSpool.inMemory()
            try await FaultWorld.run(
                [
                    FaultWorld.webhook(
                        "hook",
                        "\(server.url)/hook",
                        fault.mayRepeat ? FaultWorld.impatient : FaultWorld.hasty,
                        context
                    ),
                    FaultWorld.webhook("calm", "\(calmServer.url)/calm", FaultWorld.hasty, context),
                ],
                spool: spool,
                context: context
            )
            let ledger = try await DeliveryLedger(spool, events: FaultWorld.ids, sinks: ["hook", "calm"])
            #expect(try ledger.violations(["hook": receiver.receipts, "calm": calm.receipts]) == [])
            #expect(
                ledger.count("hook", "delivered") == FaultWorld.count
                    && ledger.count("calm", "delivered") == FaultWorld.count
            )
            #expect(receiver.accepted == FaultWorld.count || fault.mayRepeat)
            #expect(calm.accepted == FaultWorld.count)
            if fault.isFree { #expect(ledger.attempts("hook").allSatisfy { $0 == 1 }) }
            await server.close()
            await calmServer.close()
        }
    }
}
