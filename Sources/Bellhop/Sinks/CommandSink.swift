import BellhopCore
import Foundation
import Subprocess
import SystemPackage

/// Runs a program for each event, which it reads on standard input.
package struct CommandSink: Sink {
    package static let kind = "command"
    package static let reference = """
        # Runs a program for each event, without a shell. The event is on its standard input; BELLHOP_EVENT_ID, _SOURCE,
        # _RULE, _TASK, _ATTEMPT and _DELIVERY (the webhook-id) are in its environment. Exit code 0 is delivered, 65 refused
        # for good (a dead letter), any other is tried again.
        kind: command
        command: [/usr/local/bin/on-alert, --quiet]   # the program and its arguments; a plain name is found in PATH
        environment: {}                               # more variables, like { TOKEN: "${OPS_TOKEN}" }; of Bellhop's own only PATH, HOME, LANG and TZ
        directory: .                                  # where it runs; relative to the configuration file
        \(PayloadOption.reference(PayloadFormat.lines))
        timeout: 30s                                  # then it is asked to stop (SIGTERM), and killed 2 s later
        concurrency: 4                                # programs at once
        ordered: task                                 # task: in order per alert; sink: strictly; none
        retry: { base: 1s, cap: 10m, give_up_after: 24h }
        on_unknown: retry                             # a program that was stopped or crashed: retry, or hold for a person
        """

    /// EX_DATAERR of sysexits.h.
    private static let refusal: Int32 = 65

    package let name: String
    package let address: String
    package let dispatch: DispatchPolicy

    private let program: [String]
    private let variables: [(name: String, value: Secret)]
    private let directory: String
    private let timeout: Duration
    private let payload: Payload
    private let context: ComponentContext

    package init(name: String, options: OptionReader, context: ComponentContext) {
        self.name = name
        self.context = context
        let command = options.required("command", "the program and its arguments, like [/usr/local/bin/on-alert]")
        self.program = (command?.elementsOrSelf ?? []).compactMap { argument in
            if argument.text == nil { options.error("'command' lists texts, not \(argument.shown)", argument) }
            for value in argument.expansions { context.redactor.add(Secret(value)) }
            return argument.text
        }
        if let command, self.program.first?.isEmpty != false {
            options.error("'command' names no program", command)
        }
        let (own, variables) = (options.owner, options.strings("environment"))
        for (name, value, place) in variables {
            if name.isEmpty || name.contains("=") || name.contains("\0") || value.contains("\0") {
                options.diagnostics.error("'\(name)' is no name of a variable (\(own))", at: place)
            }
            context.redactor.add(Secret(value))
        }
        self.variables = variables.map { ($0.name, Secret($0.value)) }
        self.directory = context.path(options.string("directory", default: "."))
        self.payload = PayloadOption.read(options, PayloadFormat.lines)
        self.timeout = options.duration("timeout", default: .seconds(30), in: .milliseconds(100)...(.seconds(3600)))
        let onUnknown = options.choice("on_unknown", default: UnknownPolicy.retry)
        self.dispatch = DispatchPolicy(
            order: options.choice("ordered", default: .task),
            concurrency: options.integer("concurrency", default: 4, in: 1...100),
            retry: RetryPolicy(options.nested("retry"), onUnknown: onUnknown)
        )
        self.address = self.program.first ?? "?"
    }

    package func deliver(_ deliveries: [Delivery]) async -> [Verdict] {
        var verdicts: [Verdict] = []
        for delivery in deliveries {
            verdicts.append(await Verdict { () async throws(DeliveryError) -> String in try await self.run(delivery) })
        }
        return verdicts
    }

    package func preview(_ delivery: Delivery) throws(DeliveryError) -> SinkPreview {
        let words = self.program.map { $0.contains(" ") || $0.isEmpty ? JSONText.string($0) : $0 }
        let variables = self.variables.map { "\($0.name)=***" } + self.own(delivery).map { "\($0)=\($1)" }
        return SinkPreview(
            head: [self.context.redactor.redact("run \(words.joined(separator: " "))")] + variables,
            body: self.context.redactor.redact(try self.payload.line(of: delivery).string)
        )
    }

    private func own(_ delivery: Delivery) -> KeyValuePairs<String, String> {
        [
            "BELLHOP_EVENT_ID": delivery.event.id,
            "BELLHOP_SOURCE": delivery.event.source,
            "BELLHOP_RULE": delivery.rule.name,
            "BELLHOP_TASK": delivery.event.task ?? "",
            "BELLHOP_ATTEMPT": "\(delivery.attempt)",
            "BELLHOP_DELIVERY": WebhookIdentity.id(of: delivery),
        ]
    }

    private func environment(_ delivery: Delivery) -> Environment {
        var variables: [Environment.Key: String] = [:]
        // Bellhop's own environment holds the secrets of all sinks.
        let inherited = ProcessInfo.processInfo.environment
        for name in ["PATH", "HOME", "LANG", "TZ"] { variables[.init(stringLiteral: name)] = inherited[name] }
        for (name, value) in self.variables { variables[.init(stringLiteral: name)] = value.reveal() }
        // A NUL would end the value; an event must not cut what comes after it.
        for (name, value) in self.own(delivery) {
            variables[.init(stringLiteral: name)] = Truncation.utf8(Markup.withoutControls(value), 4096)
        }
        return .custom(variables)
    }

    private func run(_ delivery: Delivery) async throws(DeliveryError) -> String {
        let input = try self.payload.line(of: delivery).withUnsafeBytes { Array($0) }
        var platform = PlatformOptions()
        // A group of its own, so that what the program starts is stopped with it.
        platform.processGroupID = 0
        platform.teardownSequence = [
            .send(signal: .terminate, toProcessGroup: true, allowedDurationToNextStep: .seconds(2))
        ]
        let configuration = Subprocess.Configuration(
            executable: self.program[0].contains("/")
                ? .path(.init(self.context.path(self.program[0]))) : .name(self.program[0]),
            arguments: Arguments(Array(self.program.dropFirst())),
            environment: self.environment(delivery),
            workingDirectory: .init(self.directory),
            platformOptions: platform
        )
        let result: Ended
        do {
            result = try await CommandSink.finish(configuration, input, within: self.timeout)
        } catch is CancellationError {
            throw self.dispatch.retry.onUnknown == .hold ? .unanswered(reason: "stopped by a shutdown") : .cancelled
        } catch {
            throw .unreachable(reason: "cannot run \(self.program[0]): \(error)")
        }
        switch result {
        case .timedOut:
            throw .unanswered(reason: "\(self.program[0]) was stopped after \(Quantity.format(self.timeout))")
        case .exited(0, _): return "exit 0"
        case .exited(let code, let errors):
            let said = self.context.redactor.redact(errors).onOneLine
            let reason = "\(self.program[0]) ended with exit code \(code)\(said.isEmpty ? "" : ": \(said)")"
            throw code == CommandSink.refusal ? .permanent(reason: reason) : .transient(reason: reason)
        case .signaled(let signal): throw .unanswered(reason: "\(self.program[0]) was ended by signal \(signal)")
        }
    }

    private enum Ended: Sendable {
        case exited(Int32, errors: String)
        case signaled(Int32)
        case timedOut
    }

    private static func finish(
        _ configuration: Subprocess.Configuration,
        _ input: [UInt8],
        within timeout: Duration
    ) async throws -> Ended {
        try await withThrowingTaskGroup(of: Ended?.self) { group in
            group.addTask { try await self.run(configuration, input) }
            group.addTask {
                try await Task.sleep(for: timeout)
                return nil
            }
            let first = try await group.next() ?? nil
            group.cancelAll()
            if let first { return first }
            // Its end is waited for: the next attempt must not run beside it.
            _ = try? await group.next()
            return .timedOut
        }
    }

    private static func run(_ configuration: Subprocess.Configuration, _ input: [UInt8]) async throws -> Ended {
        let result = try await Subprocess.run(configuration, input: .inputWriter, output: .discarded, error: .sequence)
        {
            execution in
            // A program need not read its input: an error here is not the program's.
            async let written: Void = {
                _ = try? await execution.standardInputWriter.write(input)
                try? await execution.standardInputWriter.finish()
            }()
            var errors: [UInt8] = []
            for try await chunk in execution.standardError where errors.count < 300 {
                chunk.withUnsafeBytes { errors += $0.prefix(300 - errors.count) }
            }
            await written
            return String(decoding: errors, as: UTF8.self)
        }
        try Task.checkCancellation()
        return switch result.terminationStatus {
        case .exited(let code): .exited(code, errors: Markup.withoutControls(result.closureResult))
        case .signaled(let signal): .signaled(signal)
        }
    }
}
