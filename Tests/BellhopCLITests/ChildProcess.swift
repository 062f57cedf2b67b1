import BellhopTesting
import Foundation

/// The built `bellhop`, run as a person would.
final class ChildProcess: Sendable {
    struct Result: Sendable {
        let status: Int32
        let output: String
        let errors: String
    }

    let pid: Int32
    private let ended: AsyncStream<Int32>
    private let folder: TemporaryFolder
    private let name: String

    private static let binary: String = {
        // Beside the test bundle.
        let bundle = CommandLine.arguments.first { $0.hasSuffix(".xctest") } ?? CommandLine.arguments[0]
        return (bundle as NSString).deletingLastPathComponent + "/bellhop"
    }()

    /// - `output`: the descriptor of standard output, in place of a file.
    init(
        _ arguments: [String],
        in folder: TemporaryFolder,
        input: String? = nil,
        output: FileHandle? = nil,
        environment: [String: String] = [:]
    ) throws {
        let name = "process-\(UUID().uuidString)"
        self.folder = folder
        self.name = name
        let process = Process()
        process.executableURL = URL(fileURLWithPath: Self.binary)
        process.arguments = arguments
        process.currentDirectoryURL = URL(fileURLWithPath: folder.path)
        process.environment = ["PATH": "/usr/bin:/bin"].merging(environment) { $1 }
        for stream in ["in", "out", "err"] {
            try folder.write("\(name).\(stream)", stream == "in" ? input ?? "" : "")
        }
        func handle(_ stream: String) -> String { "\(folder.path)/\(name).\(stream)" }
        process.standardInput = FileHandle(forReadingAtPath: handle("in"))
        process.standardOutput = output ?? FileHandle(forWritingAtPath: handle("out"))
        process.standardError = FileHandle(forWritingAtPath: handle("err"))
        let (ended, end) = AsyncStream<Int32>.makeStream(bufferingPolicy: .bufferingNewest(1))
        process.terminationHandler = { process in
            end.yield(process.terminationStatus)
            end.finish()
        }
        self.ended = ended
        try process.run()
        self.pid = process.processIdentifier
    }

    static func run(
        _ arguments: [String],
        in folder: TemporaryFolder,
        input: String? = nil,
        environment: [String: String] = [:]
    ) async throws -> Result {
        try await ChildProcess(arguments, in: folder, input: input, environment: environment).result()
    }

    /// Waits for its end.
    func result() async -> Result {
        var status: Int32 = -1
        for await code in self.ended { status = code }
        return Result(status: status, output: self.folder.read("\(self.name).out"), errors: self.errors)
    }

    var errors: String { self.folder.read("\(self.name).err") }

    func signal(_ signal: Int32) { kill(self.pid, signal) }

    /// Waits until it has said something on standard error, or has ended.
    func waitForErrors(containing text: String) async throws {
        while !self.errors.contains(text), kill(self.pid, 0) == 0 { try await Task.sleep(for: .milliseconds(20)) }
    }
}
