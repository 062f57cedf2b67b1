import BellhopCore
import BellhopTesting
import Testing

@testable import Bellhop
@testable import BellhopServer

@Suite(.timeLimit(.minutes(4))) struct AdminTests {
    private func ask(
        _ path: String,
        _ method: String = "GET",
        token: String? = nil,
        sends: String? = nil,
        _ change: (inout Tally.Counts) -> Void = { _ in },
        isStopping: Bool = false
    ) async throws -> InboundAnswer {
        var counts = Tally.Counts()
        counts.sources["relay", default: .init()].lastRead = Timestamp(seconds: 1_790_000_000)
        change(&counts)
        let health = Health(counts, sources: ["relay"], isStopping: isStopping)
        let options = token.map { "{\"listen\":\"0.0.0.0:80\",\"token\":\"\($0)\"}" } ?? "{}"
        let settings = AdminSettings(.stub(options), .stub())
        let service = AdminService(settings, context: .stub()) {
            health
        } metrics: {
            "metrics"
        }
        let headers = sends.map { [(name: "authorization", value: "Bearer \($0)")] } ?? []
        let request = InboundRequest(method: method, headers: headers) { () async throws(InboundAnswer) -> Bytes in
            Bytes()
        }
        return await service.answer(request, path)
    }

    @Test func `ready is who takes events, whatever others do`() async throws {
        let ready = try await self.ask("/ready")
        #expect(ready.status == 200 && ready.body == #"{"status":"ready","reasons":[]}"#)
        let degraded = try await self.ask("/ready") { counts in
            counts.sources["relay"]?.problem = "HTTP 503"
            counts.sinks["ops", default: .init()].problem = "nobody \"there\""
        }
        #expect(degraded.status == 200)
        #expect(
            degraded.body
                == #"{"status":"degraded","reasons":["source relay cannot be read: HTTP 503","sink ops is suspended: nobody \"there\""]}"#
        )
    }

    @Test func `not ready is who cannot take events`() async throws {
        let stopping = try await self.ask("/ready", isStopping: true)
        #expect(stopping.status == 503 && stopping.body.contains("shut down"))
        let full = try await self.ask("/ready") { $0.spoolProblem = "it is full" }
        #expect(full.status == 503 && full.body.contains("the spool takes nothing: it is full"))
        let starting = try await self.ask("/ready") { $0.sources = [:] }
        #expect(starting.status == 503 && starting.body.contains("not read yet: relay"))
        // A source that cannot be read has been tried.
        let tried = try await self.ask("/ready") { counts in
            counts.sources["relay"] = .init()
            counts.sources["relay"]?.problem = "HTTP 500"
        }
        #expect(tried.status == 200)
        #expect(try await self.ask("/live", isStopping: true).status == 200)
    }

    @Test func `with a token, numbers and reasons are for who has it`() async throws {
        #expect(try await self.ask("/metrics").body == "metrics")
        #expect(try await self.ask("/metrics").headers[0].value == "text/plain; version=0.0.4; charset=utf-8")
        let without = try await self.ask("/metrics", token: "secret-token")
        #expect(without.status == 401 && without.headers[0].name == "www-authenticate")
        #expect(try await self.ask("/metrics", token: "secret-token", sends: "other").status == 401)
        #expect(try await self.ask("/metrics", token: "secret-token", sends: "secret-token").status == 200)
        let shy = try await self.ask("/ready", token: "secret-token") { $0.spoolProblem = "it is full" }
        #expect(shy.status == 503 && shy.body == #"{"status":"not ready"}"#)
        #expect(try await self.ask("/live", token: "secret-token").status == 200)
        #expect(try await self.ask("/ready", token: "secret-token", sends: "secret-token").body.contains("reasons"))
    }

    @Test func `nothing is changed here`() async throws {
        for method in ["POST", "PUT", "DELETE"] {
            let answer = try await self.ask("/live", method)
            #expect(answer.status == 405 && answer.headers[0].value == "GET, HEAD")
        }
    }

    @Test func `the settings are checked`() {
        for (json, message) in [
            ("{\"listen\":\"0.0.0.0:80\"}", "needs a 'token'"),
            ("{\"listen\":\"80\"}", "'listen' is a host and a port"),
            ("{\"listen\":\"0.0.0.0:80\",\"token\":\"\"}", "needs a 'token'"),
            ("{\"lisen\":\"x\"}", "did you mean 'listen'"),
        ] {
            let diagnostics = Diagnostics()
            _ = AdminSettings(.stub(json, diagnostics), .stub())
            #expect(diagnostics.all.contains { $0.message.contains(message) }, "\(diagnostics.all)")
        }
        #expect(
            AdminSettings(.stub("{\"listen\":\"0.0.0.0:80\",\"token\":\"t\"}"), .stub()).url == "http://127.0.0.1:80"
        )
        #expect(AdminSettings(.stub("{\"listen\":\"[::]:80\",\"token\":\"t\"}"), .stub()).url == "http://[::1]:80")
        let (diagnostics, context) = (Diagnostics(), ComponentContext.stub(listener: DirectListener()))
        let hooks = #"{"listen":"127.0.0.1:8080","path":"/metrics"}"#
        _ = HooksSource(name: "in", options: .stub(hooks), context: context)
        _ = AdminSettings(.stub("{}", diagnostics), context)
        #expect(
            diagnostics.all.count == 1 && diagnostics.all[0].message.contains("a source has 127.0.0.1:8080/metrics")
        )
    }
}
