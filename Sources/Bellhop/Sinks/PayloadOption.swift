import BellhopCore

/// The options `format` and `cloudevents`, for sinks that send events rather than words.
enum PayloadOption {
    static func reference(_ formats: [PayloadFormat]) -> String {
        let names = formats.map(\.rawValue).joined(separator: ", ")
        return """
            format: event           # \(names)
            cloudevents: {}         # { source: /hotels/7, type: "com.example.{{content.type}}" }
            """
    }

    static func read(_ options: OptionReader, _ formats: [PayloadFormat]) -> Payload {
        let setting = options.optional("format")
        let format = options.choice("format", default: PayloadFormat.event)
        if let setting, !formats.contains(format) {
            let names = formats.map(\.rawValue).joined(separator: ", ")
            options.error("'format' is one of \(names) here, not \(setting.shown)", setting)
        }
        let nested = options.nested("cloudevents")
        func template(_ key: String) -> Template? {
            guard let text = nested.string(key) else { return nil }
            if text.isEmpty || (key == "source" && !CloudEvent.mayBeReference(text)) {
                let what = key == "source" ? "a URI reference, like /hotels/7 or https://example.org/x" : "a text"
                nested.diagnostics.error(
                    "'\(key)' is \(what); percent-encode what is no part of one",
                    at: nested.place(of: key)
                )
                return nil
            }
            do {
                return try Template(text, zones: .system)
            } catch {
                nested.diagnostics.error("'\(key)': \(error)", at: nested.place(of: key))
                return nil
            }
        }
        let payload = Payload(format, source: template("source"), type: template("type"))
        nested.finish()
        return payload
    }
}

extension PayloadFormat {
    /// What can stand on one line.
    static let lines: [PayloadFormat] = [.event, .message, .cloudevents, .text]
}

extension Payload {
    /// What is sent of a delivery.
    func made(
        of delivery: Delivery
    ) throws(DeliveryError) -> (body: Bytes, type: String, headers: [(name: String, value: String)]) {
        do {
            return try self.render(delivery)
        } catch {
            throw .unsendable(reason: "the event in the spool is \(error)")
        }
    }

    /// What files, pipes and programs get of a delivery.
    func line(of delivery: Delivery) throws(DeliveryError) -> Bytes { try self.made(of: delivery).body }

    /// The lines of as many deliveries as can be sent, and the verdicts of those behind them: one that cannot, and the
    /// rest untried, for order's sake.
    func lines(of deliveries: [Delivery]) -> (lines: [Bytes], rest: [Verdict]) {
        var lines: [Bytes] = []
        for delivery in deliveries {
            do {
                lines.append(try self.line(of: delivery))
            } catch {
                let untried = deliveries.count - lines.count - 1
                return (lines, [.failure(error)] + Array(repeating: .failure(.cancelled), count: untried))
            }
        }
        return (lines, [])
    }
}
