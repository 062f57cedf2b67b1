import BellhopCore

/// What leaves in order: the deliveries of one task, or of a whole sink; or a delivery by itself.
enum LaneKey: Hashable {
    case task(Int64)
    case single(Delivery.ID)
    case sink
}

extension LaneKey {
    var inSpool: SpoolLane {
        switch self {
        case .task(let lane): .task(lane)
        case .single(let id): .single(id)
        case .sink: preconditionFailure("a whole sink is never parked")
        }
    }
}
