import BellhopCore
import BellhopTesting
import Testing

@Suite struct QuantityTests {
    @Test(arguments: [
        ("500ms", 500), ("10s", 10_000), ("5m", 300_000), ("2h", 7_200_000), ("7d", 604_800_000), ("1.5s", 1500),
    ])
    func `durations`(text: String, milliseconds: Int64) {
        #expect(Quantity.duration(text) == .milliseconds(milliseconds))
    }

    @Test(arguments: ["", "5", "s", "5 s", "-5s", "5sec", "1h30m", "٥s", "1e3s", "99999999999999d"])
    func `no duration`(text: String) { #expect(Quantity.duration(text) == nil) }

    @Test func `KB is a thousand bytes and KiB 1,024`() {
        #expect(Quantity.size("64KB") == 64_000)
        #expect(Quantity.size("64KiB") == 65_536)
        #expect(Quantity.size("1.5MB") == 1_500_000)
        #expect(Quantity.size("64kb") == nil)
    }

    @Test func `durations are written in their shortest exact form`() {
        for text in ["500ms", "90s", "2m", "7d", "0s", "1h"] {
            #expect(Quantity.duration(text).map(Quantity.format) == text)
        }
    }
}

@Suite struct SpellingTests {
    @Test(arguments: [
        ("pol_interval", "poll_interval"), ("urll", "url"), ("tiemout", "timeout"), ("RETRY", "retry"),
        ("subscriberid", "subscriber_id"),
    ])
    func `the nearest word is found`(word: String, expected: String) {
        #expect(
            Spelling.nearest(to: word, among: ["poll_interval", "url", "timeout", "retry", "subscriber_id"]) == expected
        )
    }

    @Test func `nothing is near a word of another kind`() {
        #expect(Spelling.nearest(to: "elephant", among: ["url", "timeout"]) == nil)
    }
}

@Suite struct SecretTests {
    @Test func `a secret shows itself nowhere`() {
        let secret = Secret("hunter2")
        var dumped = ""
        dump(secret, to: &dumped)
        for text in ["\(secret)", String(reflecting: secret), dumped, "\([secret])", "\(Optional(secret) as Any)"] {
            #expect(!text.contains("hunter2"))
        }
        #expect(secret.reveal() == "hunter2")
    }
}

@Suite struct OptionReaderTests {
    @Test func `every mistake is told, not only the first`() {
        let diagnostics = Diagnostics()
        let options = OptionReader.stub(
            #"{"timeout":"soon","limit":"x","mode":"fats","on":"yes","extra":1}"#,
            diagnostics
        )
        enum Mode: String, CaseIterable { case fast, slow }
        _ = options.duration("timeout", default: .zero, in: .zero...(.seconds(9)))
        _ = options.integer("limit", default: 1, in: 1...9)
        _ = options.choice("mode", default: Mode.slow)
        _ = options.bool("on", default: false)
        _ = options.requiredString("url", "where to")
        options.finish()
        let messages = diagnostics.all.map(\.message).joined(separator: "\n")
        for part in [
            "'timeout' is a duration", "'limit' is a whole number", "did you mean 'fast'?", "'on' is true or false",
            "needs 'url'", "unknown key 'extra'",
        ] {
            #expect(messages.contains(part), "\(part)")
        }
    }

    @Test func `a value out of an environment variable is not repeated in a message`() {
        let diagnostics = Diagnostics()
        let place = Place(file: "f", line: 1, column: 1)
        let secret = Setting(.string("hunter2"), at: place, expansions: ["x"])
        let options = OptionReader(
            Setting(.map([.init(key: "t", place: place, setting: secret)]), at: place),
            owner: "o",
            diagnostics: diagnostics
        )
        _ = options.duration("t", default: .zero, in: .zero...(.seconds(1)))
        #expect(diagnostics.hasErrors && !diagnostics.all.description.contains("hunter2"))
    }
}
