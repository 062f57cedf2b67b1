import BellhopTesting
import CGlibc
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

    static let binary: String = {
        // `scripts/chaos` tests the release build.
        if let path = ProcessInfo.processInfo.environment["BELLHOP_BINARY"] { return path }
        // Beside the test bundle.
        let bundle = CommandLine.arguments.first { $0.hasSuffix(".xctest") } ?? CommandLine.arguments[0]
        return (bundle as NSString).deletingLastPathComponent + "/bellhop"
    }()

    /// - `program`: another one instead of `bellhop`, found in PATH.
    /// - `output`: the descriptor of standard output, in place of a file.
    init(
        program: String? = nil,
        _ arguments: [String],
        in folder: TemporaryFolder,
        input: String? = nil,
        output: FileHandle? = nil,
        environment: [String: String] = [:]
    ) throws {
        let name = "process-\(UUID().uuidString)"
        func path(_ stream: String) -> String { "\(folder.path)/\(name).\(stream)" }
        for stream in ["in", "out", "err"] { try folder.write("\(name).\(stream)", stream == "in" ? input ?? "" : "") }

        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, path("in"), O_RDONLY, 0)
        if let output {
            posix_spawn_file_actions_adddup2(&actions, output.fileDescriptor, 1)
        } else {
            posix_spawn_file_actions_addopen(&actions, 1, path("out"), O_WRONLY, 0)
        }
        posix_spawn_file_actions_addopen(&actions, 2, path("err"), O_WRONLY, 0)
        // Or it keeps the pipes of other tests open, and they wait for it.
        bh_spawn_close_from(&actions, 3)
        // env(1) changes the folder: Glibc's module map leaves posix_spawn_file_actions_addchdir_np out.
        var words = (["env", "--chdir", folder.path, program ?? Self.binary] + arguments).map { strdup($0) } + [nil]
        var variables =
            ["PATH": program == nil ? "/usr/bin:/bin" : ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"]
            .merging(environment) { $1 }.map { strdup("\($0)=\($1)") } + [nil]
        defer { for word in words + variables { free(word) } }
        var pid: pid_t = 0
        let error = posix_spawn(&pid, "/usr/bin/env", &actions, nil, &words, &variables)
        guard error == 0 else { throw POSIXError(POSIXErrorCode(rawValue: error) ?? .EINVAL) }

        let (ended, end) = AsyncStream<Int32>.makeStream(bufferingPolicy: .bufferingNewest(1))
        let child = pid
        // Foundation's Process crashes now and then where many are started at once (6.3.1), so this waits by itself.
        Thread {
            var status: Int32 = 0
            while waitpid(child, &status, 0) < 0, errno == EINTR {}
            // Signalled: the signal's number is in the low bits; otherwise the exit code in the next byte.
            end.yield(status & 0x7F == 0 ? status >> 8 & 0xFF : status & 0x7F)
            end.finish()
        }
        .start()
        self.folder = folder
        self.name = name
        self.pid = pid
        self.ended = ended
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
