import BellhopCore
import Crypto

/// What makes a delivery recognisable to its receiver.
enum WebhookIdentity {
    /// The `webhook-id`: stays the same over attempts, restarts and even a lost spool, so that a receiver can tell a
    /// repeat (Standard Webhooks, "webhook-id").
    static func id(of delivery: Delivery) -> String {
        var hash = SHA256()
        func add(_ part: String) {
            // Strings end in a zero here, so that parts cannot run into each other.
            part.withCString {
                hash.update(bufferPointer: UnsafeRawBufferPointer(start: $0, count: part.utf8.count + 1))
            }
        }
        add(delivery.event.source)
        add(delivery.event.id)
        add(delivery.rule.name)
        add(delivery.sink)
        return "msg_" + hash.finalize().prefix(16).hex
    }
}

extension Sequence<UInt8> {
    /// Lower-case.
    var hex: String {
        var text: [UInt8] = []
        for byte in self {
            for digit in [byte >> 4, byte & 15] { text.append(digit + (digit < 10 ? UInt8(ascii: "0") : 87)) }
        }
        return String(decoding: text, as: UTF8.self)
    }
}
