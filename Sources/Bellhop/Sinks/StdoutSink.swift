import BellhopCore
import Foundation

/// Prints each event as one line on standard output.
package struct StdoutSink: Sink {
    package static let kind = "stdout"
    package static let reference = """
        # Prints one line of JSON per event.
        kind: stdout
        """

    package let name: String
    package let address = "stdout"
    package let dispatch = DispatchPolicy(order: .sink, batchLimit: 500)

    private let printer: Printer

    package init(name: String, options: OptionReader, context: ComponentContext) {
        self.name = name
        self.printer = Printer(context.shutdown)
    }

    package func deliver(_ deliveries: [Delivery]) async -> [Verdict] {
        await self.printer.print(deliveries)
    }
}

private actor Printer {
    private let executor = BlockingExecutor(label: "bellhop-stdout")
    private let shutdown: Shutdown
    /// A delivery whose line was cut by a full disk or pipe, and what is missing of it.
    private var torn: (id: Delivery.ID, rest: ArraySlice<UInt8>)?

    nonisolated var unownedExecutor: UnownedSerialExecutor { self.executor.asUnownedSerialExecutor() }

    init(_ shutdown: Shutdown) {
        self.shutdown = shutdown
    }

    func print(_ deliveries: [Delivery]) -> [Verdict] {
        var writer = LineWriter()
        for delivery in deliveries {
            if let torn = self.torn, torn.id == delivery.id {
                writer.add(rest: torn.rest)
            } else {
                writer.add(delivery.event.data)
            }
        }
        self.torn = nil
        do {
            try writer.write(to: STDOUT_FILENO)
            return deliveries.map { _ in .success("written") }
        } catch {
            if !error.rest.isEmpty { self.torn = (deliveries[error.linesWritten].id, error.rest) }
            if error.number == EPIPE {
                // Its reader will not come back; everything not printed stays pending.
                self.shutdown.begin(
                    fault: "standard output was closed by its reader; what was not printed stays in the spool"
                )
            }
            return LineWriter.verdicts(deliveries.count, error, "cannot write to standard output: \(error.reason)")
        }
    }
}
