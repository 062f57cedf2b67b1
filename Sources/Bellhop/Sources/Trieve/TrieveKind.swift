import BellhopCore

/// The kinds of things that Trieve keeps for analytics: each is a table with routes of its own.
enum TrieveKind: String, CaseIterable, Sendable {
    case events, search, rag, recommendations, topics

    /// What rules see as `event.kind`.
    var eventKind: String {
        switch self {
        case .events: "event"
        case .search: "search"
        case .rag: "rag"
        case .recommendations: "recommendation"
        case .topics: "topic"
        }
    }

    /// The table's name for `POST /api/analytics` (Trieve's server, utils/clickhouse_query.rs).
    var table: String {
        switch self {
        case .events: "events"
        case .search: "search_queries"
        case .rag: "rag_queries"
        case .recommendations: "recommendations"
        case .topics: "topics"
        }
    }
}
