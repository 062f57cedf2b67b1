import BellhopCore
import Crypto
import Foundation

/// What makes a delivery recognisable to its receiver.
enum WebhookIdentity {
    /// The `webhook-id`: stays the same over attempts, restarts and even a lost spool, so that a receiver can tell a
    /// repeat (Standard Webhooks, "webhook-id").
    static func id(of delivery: Delivery) -> String {
        var hash = SHA256()
        for part in [delivery.event.source, delivery.event.id, delivery.rule.name, delivery.sink] {
            hash.update(data: Data(part.utf8))
            hash.update(data: [0])
        }
        return "msg_" + hash.finalize().prefix(16).hex
    }
}

extension Sequence<UInt8> {
    /// Lower-case.
    var hex: String {
        let digits = Array("0123456789abcdef".utf8)
        return String(decoding: self.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }
}
