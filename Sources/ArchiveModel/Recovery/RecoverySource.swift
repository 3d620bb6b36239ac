package import WALFormat

/// What a recovery begins with: of all that is there, what leaves the least to replay.
package enum RecoverySource: Hashable, Sendable {
    /// A copy of it, from its redo on.
    case snapshot(String, redo: LSN)
    /// A look that is at the target, or that nobody uses and that stands short of it: it goes on from where it is.
    case look(String, at: LSN)
    /// A copy of a snapshot's image, in which nothing is left to replay.
    ///
    /// It lies on a timeline of its own, so it serves the moment that it was made of and no other.
    case image(of: String, at: LSN)

    /// How much WAL is replayed from here to a stop.
    package func debtBytes(to stop: LSN) -> UInt64 {
        switch self {
        case .snapshot(_, let redo): stop.bytes(since: redo)
        case .look(_, let position): stop.bytes(since: position)
        case .image: 0
        }
    }

    /// How long it takes until the target is there.
    package func predictedSeconds(of plan: RestorePlan, rate: ReplayRate) -> Double {
        switch self {
        case .snapshot: plan.predictedSeconds
        case .look(_, let position) where position == plan.stop: 0
        case .look: rate.seconds(replaying: debtBytes(to: plan.stop)) - rate.startSeconds
        case .image: min(rate.startSeconds, 0.1)
        }
    }
}

extension RestorePlan {
    /// With what one who only looks begins.
    ///
    /// - Parameters:
    ///   - looks: those that there are.
    ///   - image: the snapshot's, where it has one.
    package func source(looks: [CloneRecord], image: ReadyImage? = nil) -> RecoverySource {
        let nearest = looks.filter { serves($0) }.max { $0.stop < $1.stop }
        if nearest?.stop != stop, case .image(let snapshot, let position) = source(image: image) {
            return .image(of: snapshot, at: position)
        }
        return nearest.map { .look($0.name, at: $0.stop) } ?? .snapshot(snapshot, redo: redo)
    }

    /// With what a clone begins that is a server of its own.
    ///
    /// - Parameter image: the snapshot's, where it has one.
    package func source(image: ReadyImage?) -> RecoverySource {
        guard let image, image.plan.snapshot == snapshot, image.serves(stop, path) else {
            return .snapshot(snapshot, redo: redo)
        }
        return .image(of: snapshot, at: stop)
    }

    /// Whether a look is at this plan's stop, or comes to it by replaying on.
    ///
    /// For that it is a standby still, on the very path; its server was started with enough of all that the WAL in
    /// between asks of a hot standby; and from the snapshot there would be more to replay.
    private func serves(_ look: CloneRecord) -> Bool {
        guard look.isLook, look.path == path, [.held, .recovered].contains(look.state) else { return false }
        if look.stop == stop { return true }
        return look.state == .held && look.stop < stop && look.stop >= redo
            && look.parameters.raised(to: parameters) == look.parameters
    }
}
