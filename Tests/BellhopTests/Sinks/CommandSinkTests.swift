import BellhopCore
import BellhopTesting
import Foundation
import Testing

@testable import Bellhop

@Suite(.timeLimit(.minutes(4))) struct CommandSinkTests {
    private let folder: TemporaryFolder

    init() throws {
        self.folder = try TemporaryFolder()
        // As the command `bellhop` does first: a program that does not read its input must not end this process.
        signal(SIGPIPE, SIG_IGN)
    }

    private func sink(_ script: String, _ more: String = "") -> CommandSink {
        // A machine that is busy with other tests must not look like a program that hangs.
        let patience = more.contains("\"timeout\"") ? "" : #","timeout":"10m""#
        let options = OptionReader.stub(
            "{\"command\":[\"/bin/sh\",\"-c\",\(JSONText.string(script))]\(more)\(patience)}"
        )
        return CommandSink(name: "script", options: options, context: .stub(folder: self.folder.path))
    }

    private func run(_ script: String, _ more: String = "", json: String = "{\"n\":1}") async throws -> Verdict {
        await self.sink(script, more).deliver([try Delivery.stub(.stub(id: "e\u{1}1", task: "t1", json: json))])[0]
    }

    @Test func `the program reads the event, knows about it, and runs in its directory`() async throws {
        let more = #","environment":{"EXTRA":"more"},"format":"message""#
        let verdict = try await self.run(
            "cat > in; echo $BELLHOP_EVENT_ID $BELLHOP_RULE $BELLHOP_TASK $BELLHOP_ATTEMPT $EXTRA > env; pwd > dir",
            more
        )
        #expect(verdict == .success("exit 0"))
        #expect(self.folder.read("in").contains("\"event\":{\"n\":1}"))
        #expect(self.folder.read("env") == "e1 r t1 1 more\n")
        #expect(self.folder.read("dir").hasPrefix(self.folder.path))
    }

    @Test func `only some of Bellhop's own environment is there`() async throws {
        _ = try await self.run("env | cut -d= -f1 | sort > names")
        let known = ["PATH", "HOME", "LANG", "TZ", "PWD", "OLDPWD", "SHLVL", "_"]
        #expect(self.folder.lines("names").filter { !known.contains($0) && !$0.hasPrefix("BELLHOP_") } == [])
        #expect(self.folder.lines("names").contains("PATH"))
    }

    @Test func `the exit code is the verdict`() async throws {
        guard case .failure(.permanent(let refused)) = try await self.run("echo 'no such room' >&2; exit 65") else {
            Issue.record("65 is for good")
            return
        }
        #expect(refused == "/bin/sh ended with exit code 65: no such room")
        guard case .failure(.transient) = try await self.run("exit 1") else {
            Issue.record("1 is for now")
            return
        }
        guard case .failure(.unanswered) = try await self.run("kill -9 $$") else {
            Issue.record("a crash leaves open what was done")
            return
        }
    }

    @Test func `a program that is not there is tried again`() async throws {
        let options = OptionReader.stub(#"{"command":["no-such-program-at-all"],"timeout":"10m"}"#)
        let sink = CommandSink(name: "script", options: options, context: .stub(folder: self.folder.path))
        let verdict = await sink.deliver([try Delivery.stub(.stub())])[0]
        guard case .failure(.unreachable(let reason)) = verdict else {
            Issue.record("nothing was run, but: \(verdict)")
            return
        }
        #expect(reason.contains("cannot run no-such-program-at-all"))
    }

    @Test func `a program that does not end is stopped, with what it started`() async throws {
        let verdict = try await self.run("sleep 300 & echo $! > child; wait", #","timeout":"300ms""#)
        #expect(verdict == .failure(.unanswered(reason: "/bin/sh was stopped after 300ms")))
        let child = try #require(Int32(self.folder.read("child").trimmingSpaces))
        // Its group was signalled; somebody else may have to reap it.
        for _ in 0..<200 where kill(child, 0) == 0 && !self.isZombie(child) {
            try await Task.sleep(for: .milliseconds(10))
        }
        #expect(kill(child, 0) != 0 || self.isZombie(child))
    }

    private func isZombie(_ pid: Int32) -> Bool {
        let stat = (try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8)) ?? ""
        return stat.contains(") Z ")
    }

    @Test func `a program that leaves something running in the background has ended`() async throws {
        let verdict = try await self.run("sleep 100 & exit 0", #","timeout":"60s""#)
        #expect(verdict == .success("exit 0"))
    }

    @Test func `neither unread input nor much output blocks`() async throws {
        let big = "{\"pad\":\"\(String(repeating: "x", count: 2_000_000))\"}"
        #expect(try await self.run("exit 0", json: big) == .success("exit 0"))
        let noisy = "yes | head -c 3000000 >&2; yes | head -c 3000000; cat > in"
        #expect(try await self.run(noisy, json: big) == .success("exit 0"))
        #expect(self.folder.read("in").utf8.count == big.utf8.count)
    }

    @Test func `cancelling stops the program, and does not count`() async throws {
        let sink = self.sink("trap '' TERM; echo > started; sleep 300")
        let delivery = try Delivery.stub(.stub())
        let task = Task { await sink.deliver([delivery])[0] }
        while self.folder.read("started").isEmpty { try await Task.sleep(for: .milliseconds(5)) }
        task.cancel()
        #expect(await task.value == .failure(.cancelled))
    }

    @Test(arguments: [
        ("{}", "needs 'command'"), (#"{"command":[]}"#, "names no program"), (#"{"command":[["x"]]}"#, "lists texts"),
        (#"{"command":["x"],"environment":{"A=B":"1"}}"#, "no name of a variable"),
        (#"{"command":["x"],"format":"cloudevents_binary"}"#, "'format' is one of"),
    ])
    func `mistakes are told`(json: String, message: String) {
        let diagnostics = Diagnostics()
        _ = CommandSink(name: "s", options: .stub(json, diagnostics), context: .stub())
        #expect(diagnostics.all.contains { $0.message.contains(message) }, "\(diagnostics.all)")
    }
}
