import BellhopCore
import Synchronization

/// A loopback Relay Pro events API that tells believable stories, serves the vendor's documented samples, and plays the
/// traps that its documentation leaves open.
package final class RelayProSimulator: Sendable {
    package struct Settings: Sendable {
        /// Events that are there from the start, about.
        package var events = 0
        /// Alerts that begin in a second, from now on.
        package var rate = 0.0
        package var quirks: Set<RelayQuirk> = []
        package var seed: UInt64 = 1
        package var apiKey = "apikey123"
        /// Also the samples of the vendor's page, from August 2024.
        package var samples = false
        /// The youngest stored event is this old.
        package var age: Duration = .seconds(600)

        package init() {}
    }

    private struct World {
        /// In the order of time.
        var events: [SimulatedEvent] = []
        var upcoming: [SimulatedEvent] = []
        var stories: RelayStories
        var nextStory: Timestamp
        var requests = 0
        var asked: [String] = []
        /// Ids that at least one answer held.
        var served: Set<String> = []
    }

    private let settings: Settings
    private let text: RelayEventText
    private let world: Mutex<World>
    private let now: @Sendable () -> Timestamp

    /// - `now`: the API's clock.
    package init(_ settings: Settings, now: @escaping @Sendable () -> Timestamp) {
        let start = now()
        self.settings = settings
        self.text = RelayEventText(quirks: settings.quirks)
        self.now = now
        var stories = RelayStories(seed: settings.seed)
        let samples = settings.samples ? RelayStories.samples : []
        let stored = samples + RelayProSimulator.stored(settings, &stories, now: start)
        self.world = Mutex(
            World(events: stored, stories: RelayStories(seed: settings.seed &+ 1, pace: 15), nextStory: start)
        )
    }

    /// The ids of everything that can be asked for by now, late events included.
    package var ids: Set<String> { self.world.withLock { Set($0.events.map(\.id)) } }
    /// The ids that answers have held.
    package var servedIDs: Set<String> { self.world.withLock { $0.served } }
    package var requests: Int { self.world.withLock { $0.requests } }
    /// The values of `oldest`, in order.
    package var asked: [String] { self.world.withLock { $0.asked } }

    package func answer(_ request: SimulatedRequest) -> SimulatedAnswer {
        let number = self.world.withLock { world in
            world.requests += 1
            return world.requests
        }
        if let refusal = self.refuse(request, number) { return refusal }
        guard let oldest = Timestamp(request.query["oldest"] ?? "") else {
            return SimulatedAnswer(status: 400, body: "{\"message\":\"oldest is not an ISO 8601 timestamp\"}")
        }
        if self.settings.quirks.contains(.noFractions), request.query["oldest"]?.contains(".") == true {
            return SimulatedAnswer(status: 400, body: "{\"message\":\"oldest must be whole seconds\"}")
        }
        let limit = min(
            max(Int(request.query["limit"] ?? "") ?? 100, 1),
            self.settings.quirks.contains(.smallPages) ? 40 : 100
        )
        let elements = self.world.withLock { world in
            self.advance(&world)
            world.asked.append(request.query["oldest"] ?? "")
            let page = self.page(world, from: oldest, limit: limit, number)
            world.served.formUnion(page.map { world.events[$0].id })
            return self.elements(page.map { ($0, world.events[$0]) }, number, hasRoom: page.count < limit)
        }
        return self.answer(elements, number)
    }

    private func refuse(_ request: SimulatedRequest, _ number: Int) -> SimulatedAnswer? {
        let quirks = self.settings.quirks
        if quirks.contains(.redirect) {
            return SimulatedAnswer(status: 302, headers: [("location", "http://localhost:1/elsewhere?x=1")])
        }
        if quirks.contains(.forbidden) { return SimulatedAnswer(status: 403, body: "{\"message\":\"forbidden\"}") }
        guard request.header("authorization") == "RelayApiKey \(self.settings.apiKey)", !quirks.contains(.unauthorized)
        else {
            return SimulatedAnswer(status: 401, body: "{\"message\":\"unauthorized\"}")
        }
        let parts = request.path.split(separator: "/")
        guard request.method == "GET", parts.count == 5, parts[0] == "subscribers",
            parts.suffix(3) == ["api", "v1", "events"],
            !quirks.contains(.notFound)
        else { return SimulatedAnswer(status: 404, body: "{\"message\":\"not found\"}") }
        guard number % 3 == 2 else { return nil }
        if quirks.contains(.html) {
            return SimulatedAnswer(
                status: number % 2 == 0 ? 200 : 502,
                headers: [("content-type", "text/html")],
                body: "<html>Bad Gateway</html>"
            )
        }
        if quirks.contains(.reset) { return SimulatedAnswer(fault: .reset) }
        if quirks.contains(.serverError) { return SimulatedAnswer(status: [500, 502, 503, 504][number / 3 % 4]) }
        if quirks.contains(.tooMany) {
            let date = RelayProSimulator.httpDate(self.now() + .seconds(1))
            return SimulatedAnswer(status: 429, headers: [("retry-after", number % 2 == 0 ? "1" : date)])
        }
        return nil
    }

    /// The indices of the events that this request gets, in the order of the answer.
    private func page(_ world: World, from oldest: Timestamp, limit: Int, _ number: Int) -> [Int] {
        let quirks = self.settings.quirks
        var found = world.events.indices.filter { index in
            let time = world.events[index].time
            guard quirks.contains(.exclusive) ? time > oldest : time >= oldest else { return false }
            // A late event is missing from the first answers, although younger ones are there.
            return !(quirks.contains(.late) && index % 9 == 4 && index > world.events.count * 19 / 20 && number < 3)
        }
        if quirks.contains(.newestFirst) { return found.suffix(limit).reversed() }
        found = Array(found.prefix(limit))
        if quirks.contains(.descending) { found.reverse() }
        if quirks.contains(.unsorted) {
            var random = SeededGenerator(seed: UInt64(number))
            found.shuffle(using: &random)
        }
        return found
    }

    private func elements(_ page: [(index: Int, event: SimulatedEvent)], _ number: Int, hasRoom: Bool) -> [String] {
        var elements: [String] = []
        for (index, event) in page {
            elements.append(self.text.json(event, index: index, edition: number))
            if self.settings.quirks.contains(.duplicates), index % 4 == 0 { elements.append(elements.last ?? "") }
            if self.settings.quirks.contains(.badElements), index % 20 == 3 {
                elements.append(RelayEventText.badElements[index / 20 % RelayEventText.badElements.count])
            }
        }
        return elements
    }

    private func answer(_ elements: [String], _ number: Int) -> SimulatedAnswer {
        let quirks = self.settings.quirks
        if elements.isEmpty, quirks.contains(.noContent) { return SimulatedAnswer(status: 204) }
        var body = JSONText.array(elements)
        if quirks.contains(.envelope) { body = JSONText.object(["events": body, "cursor": "\"\""]) }
        if elements.isEmpty, quirks.contains(.emptyObject) { body = "{}" }
        var bytes = Array(body.utf8)
        if quirks.contains(.bom) { bytes = [0xEF, 0xBB, 0xBF] + bytes }
        var answer = SimulatedAnswer(headers: [("content-type", "application/json")], bytes: bytes)
        if quirks.contains(.gzip) {
            answer.body = Gzip.stored(bytes)
            answer.headers.append(("content-encoding", "gzip"))
        }
        if quirks.contains(.slow) { answer.delay = .milliseconds(500) }
        if quirks.contains(.truncated), number % 3 == 2 { answer.fault = .cutShort }
        return answer
    }

    /// Lets the stories that began by now go on.
    private func advance(_ world: inout World) {
        guard self.settings.rate > 0 else { return }
        let now = self.now()
        while world.nextStory <= now {
            world.upcoming += world.stories.story(startingAt: world.nextStory)
            world.nextStory = world.nextStory + .nanoseconds(Int64(1e9 / self.settings.rate))
        }
        let happened = world.upcoming.filter { $0.time <= now }.sorted { $0.time < $1.time }
        world.upcoming.removeAll { $0.time <= now }
        world.events += happened
        world.events.sort { $0.time < $1.time }
    }

    private static func stored(_ settings: Settings, _ stories: inout RelayStories, now: Timestamp) -> [SimulatedEvent]
    {
        var events: [SimulatedEvent] = []
        guard settings.events > 0 else { return events }
        var start = now
        while events.count < settings.events {
            events += stories.story(startingAt: start)
            start = start + .seconds(7)
        }
        events.sort { $0.time < $1.time }
        events.removeLast(events.count - settings.events)
        let shift = (now - settings.age) - (events.last?.time ?? now)
        for index in events.indices { events[index].time = events[index].time + shift }
        self.bend(&events, settings.quirks, now)
        return events
    }

    /// Gives the stored events the times that a quirk wants.
    private static func bend(_ events: inout [SimulatedEvent], _ quirks: Set<RelayQuirk>, _ now: Timestamp) {
        for index in events.indices {
            if quirks.contains(.sameTimestamp) { events[index].time = events[index / 60 * 60].time }
            if quirks.contains(.busySecond) {
                let first = index / 350 * 350
                events[index].time = events[first].time.flooredToSecond + .microseconds(Int64(index - first) * 2000 + 7)
            }
            if quirks.contains(.stuckTimestamp), (400..<530).contains(index) { events[index].time = events[400].time }
            if quirks.contains(.future), index % 500 == 499 { events[index].time = Timestamp(seconds: 4_070_908_800) }
        }
        events.sort { $0.time < $1.time }
    }

    private static func httpDate(_ time: Timestamp) -> String {
        let text = time.formatted(.seconds)
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        let days = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"]
        let month = months[(Int(text.dropFirst(5).prefix(2)) ?? 1) - 1]
        let day = days[Int(time.seconds / 86_400 % 7)]
        return "\(day), \(text.dropFirst(8).prefix(2)) \(month) \(text.prefix(4)) \(text.dropFirst(11).prefix(8)) GMT"
    }
}
