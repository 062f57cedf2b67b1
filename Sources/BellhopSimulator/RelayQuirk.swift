/// A trap that the Relay Pro API may hold, by the name it has on the command line. Nothing public rules any of them out.
package enum RelayQuirk: String, CaseIterable, Sendable {
    // How events are chosen and ordered.
    case exclusive
    case descending
    case unsorted
    case newestFirst = "newest-first"
    case smallPages = "small-pages"
    case noFractions = "no-fractions"
    // What the events are like.
    case sameTimestamp = "same-timestamp"
    case busySecond = "busy-second"
    case stuckTimestamp = "stuck-timestamp"
    case late
    case duplicates
    case changed
    case oldShape = "old-shape"
    case nulls
    case times
    case future
    case badElements = "bad-elements"
    // What an answer is like.
    case envelope
    case emptyObject = "empty-object"
    case noContent = "no-content"
    case bom
    case gzip
    case html
    case truncated
    case redirect
    case unauthorized
    case forbidden
    case notFound = "not-found"
    case tooMany = "too-many"
    case serverError = "server-error"
    case reset
    case slow

    /// One line for `bellhop simulate relay-pro --help`.
    package var explanation: String {
        switch self {
        case .exclusive: "'oldest' is exclusive"
        case .descending: "each page holds the oldest events, newest first"
        case .unsorted: "each page holds the oldest events, shuffled"
        case .newestFirst: "each page holds the newest events, newest first: older ones cannot be asked for"
        case .smallPages: "no page has more than 40 events, whatever the limit"
        case .noFractions: "an 'oldest' with a fraction of a second is refused (400)"
        case .sameTimestamp: "runs of 60 events share one time, across page edges"
        case .busySecond: "runs of 350 events fall into one second"
        case .stuckTimestamp: "130 events have one and the same time: no request reaches all"
        case .late: "some events show up several requests after younger ones"
        case .duplicates: "events are repeated within a page"
        case .changed: "an event changes its content from one answer to the next"
        case .oldShape: "the older published shape: content as JSON text, 'id' for 'event_id'"
        case .nulls: "null and missing fields, empty and numeric ones"
        case .times: "times with 0 to 9 digits, offsets, blanks and lower case"
        case .future: "some events are from the year 2099"
        case .badElements: "pages hold elements that are no events"
        case .envelope: "pages come as {\"events\": […]}"
        case .emptyObject: "an empty page is {}"
        case .noContent: "an empty page is HTTP 204"
        case .bom: "bodies begin with a byte order mark"
        case .gzip: "bodies are compressed"
        case .html: "every third answer is an HTML page"
        case .truncated: "every third answer is cut short"
        case .redirect: "every request is redirected to another host"
        case .unauthorized: "the key is refused (401)"
        case .forbidden: "the key may not read (403)"
        case .notFound: "there is no such subscriber (404)"
        case .tooMany: "every third answer is 429, with Retry-After as seconds or as a date"
        case .serverError: "every third answer is 500, 502, 503 or 504"
        case .reset: "every third connection is reset"
        case .slow: "answers take half a second"
        }
    }
}
