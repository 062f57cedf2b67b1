import BellhopCore

/// Why a poll brought no page, and what patience it calls for.
struct PollFailure: Error, Hashable {
    enum Patience: Hashable {
        /// Passing: try again with back-off, at the earliest after what the server asked for.
        case backOff(atLeast: Duration?)
        /// Nothing gets better until somebody changes something: ask rarely.
        case rarely
    }

    let reason: String
    let patience: Patience
    /// The HTTP status, where there was an answer.
    let status: Int?

    /// - `hints`: what to do about a status, in the words of the source.
    init(_ response: HTTPResponse, host: String, hints: [Int: String], now: Timestamp) {
        let status = response.status
        self.status = status
        let asked = response.header("retry-after").flatMap { RetryAfter.parse($0, now: now) }.map {
            min($0, .seconds(3600))
        }
        switch status {
        case 429:
            self.reason = "\(host) answered HTTP 429: too many requests"
            self.patience = .backOff(atLeast: asked)
        case 408, 425, 500...599:
            self.reason = "\(host) answered HTTP \(status)"
            self.patience = .backOff(atLeast: asked)
        case 300...399:
            // Never followed: the request carries a key.
            let target =
                response.header("location").flatMap { try? HTTPURL($0) }.map { " to \($0.scheme)://\($0.host)" } ?? ""
            self.reason =
                "\(host) answered HTTP \(status), a redirect\(target), which is not followed; set 'base_url' to the right address"
            self.patience = .rarely
        default:
            let hint = hints[status].map { ": \($0)" } ?? ""
            self.reason = "\(host) answered HTTP \(status)\(hint)"
            self.patience = .rarely
        }
    }

    init(reason: String, patience: Patience, status: Int?) {
        self.reason = reason
        self.patience = patience
        self.status = status
    }

    init(_ error: HTTPError) {
        self.reason = "\(error)"
        // What the network guard refuses, and headers that cannot be sent, only a person can change.
        switch error {
        case .refused, .badURL, .badHeader: self.patience = .rarely
        default: self.patience = .backOff(atLeast: nil)
        }
        self.status = nil
    }

    /// An answer that is no page.
    init(unreadable reason: String, host: String) {
        self.reason = "\(host) answered what is no page of events: \(reason)"
        self.patience = .backOff(atLeast: nil)
        self.status = 200
    }

    /// - `failures`: in a row, this one included.
    /// - `jitter`: from 0 to 1.
    func delay(failures: Int, jitter: Double) -> Duration {
        switch self.patience {
        case .backOff(let minimum):
            let ceiling = min(60.0, Double(UInt64(1) << UInt64(min(failures - 1, 6))))
            let delay = Duration.milliseconds(Int64(ceiling * jitter * 1000))
            return minimum.map { max($0, delay) } ?? delay
        case .rarely:
            let ceiling = min(900.0, 30 * Double(UInt64(1) << UInt64(min(failures - 1, 5))))
            return .milliseconds(Int64(ceiling * (0.75 + 0.25 * jitter) * 1000))
        }
    }
}
