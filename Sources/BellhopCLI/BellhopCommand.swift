import ArgumentParser
import Bellhop
import CGlibc
import Foundation

@main
struct BellhopCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bellhop",
        abstract: "Carries events from where they happen to where people act on them.",
        discussion: "Start with 'bellhop init', then 'bellhop check' and 'bellhop run'.",
        version: Version.text,
        subcommands: [
            RunCommand.self, CheckCommand.self, TestCommand.self, ExplainCommand.self, SendCommand.self,
            GetCommand.self, HealthCommand.self, BackupCommand.self,
            PipeCommand.self, InitCommand.self, WhyCommand.self, DeliveriesCommand.self, DeadLettersCommand.self,
            RejectedCommand.self, ReferenceCommand.self, SimulateCommand.self,
        ]
    )

    static func main() async {
        // A closed pipe or connection is an error where it is written to, not the end of the process.
        signal(SIGPIPE, SIG_IGN)
        bh_share_heap()
        self.allowDescriptors()
        await self.main(nil)
    }

    /// As many files and connections as an administrator allows at all: the soft limit is for programs that use select(2).
    private static func allowDescriptors() {
        let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        var limit = rlimit()
        guard getrlimit(resource, &limit) == 0 else { return }
        limit.rlim_cur = min(limit.rlim_max, 65_536)
        setrlimit(resource, &limit)
    }
}

enum Version {
    /// `0.1.0 (f3a91c2)`
    static let text = "0.1.0 (\(GitVersion.text))"
    static let userAgent = "Bellhop/0.1.0"
}

/// Exit codes, as sysexits(3) has them where it has one.
extension ExitCode {
    /// The answer is no: a check failed, something was not delivered.
    static let no = ExitCode(1)
    static let tryAgain = ExitCode(75)
    static let notPermitted = ExitCode(77)
}
