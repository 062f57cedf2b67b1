import BellhopCore
import Foundation

/// Prints each event as one line on standard output.
package struct StdoutSink: Sink {
    package static let kind = "stdout"
    package static let reference = """
        # Prints one line per event.
        kind: stdout
        \(PayloadOption.reference(PayloadFormat.lines))
        """

    package let name: String
    package let address = "stdout"
    package let dispatch = DispatchPolicy(order: .sink, batchLimit: 500)

    private let printer: Printer
    private let payload: Payload

    package init(name: String, options: OptionReader, context: ComponentContext) {
        self.name = name
        self.payload = PayloadOption.read(options, PayloadFormat.lines)
        self.printer = Printer(context.shutdown)
    }

    package func deliver(_ deliveries: [Delivery]) async -> [Verdict] {
        let (lines, rest) = self.payload.lines(of: deliveries)
        return await self.printer.print(lines, of: deliveries) + rest
    }

    package func preview(_ delivery: Delivery) throws(DeliveryError) -> SinkPreview {
        SinkPreview(head: ["print"], body: try self.payload.line(of: delivery).string)
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

    /// - `lines`: those of the first deliveries.
    func print(_ lines: [Bytes], of deliveries: [Delivery]) -> [Verdict] {
        var writer = LineWriter()
        for (delivery, line) in zip(deliveries, lines) {
            if let torn = self.torn, torn.id == delivery.id {
                writer.add(rest: torn.rest)
            } else {
                writer.add(line)
            }
        }
        self.torn = nil
        do {
            try writer.write(to: STDOUT_FILENO)
            return lines.map { _ in .success("written") }
        } catch {
            if !error.rest.isEmpty { self.torn = (deliveries[error.linesWritten].id, error.rest) }
            if error.number == EPIPE {
                // Its reader will not come back; everything not printed stays pending.
                self.shutdown.begin(
                    fault: "standard output was closed by its reader; what was not printed stays in the spool"
                )
            }
            return LineWriter.verdicts(lines.count, error, "cannot write to standard output: \(error.reason)")
        }
    }
}
