import BellhopTesting
import Testing

@testable import Bellhop

@Suite(.timeLimit(.minutes(4))) struct SourceContractTests {
    private static let stages: [any SourceStage.Type] = [
        RelayProStage.self, TrieveStage.self, HTTPPollStage.self, HooksStage.self, FileStage.self,
    ]

    @Test(arguments: Sources.all.map { $0.kind }) func `every source keeps the contract`(kind: String) async throws {
        let stage = try #require(Self.stages.first { $0.kind == kind }, "a source of a new kind needs a stage")
        let violations = try await Self.violations(stage)
        #expect(violations.isEmpty, "\(violations)")
    }

    private static func violations<Stage: SourceStage>(_ stage: Stage.Type) async throws -> [String] {
        try await SourceContract<Stage>().violations()
    }
}
