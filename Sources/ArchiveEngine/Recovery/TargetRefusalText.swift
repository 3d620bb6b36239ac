package import ArchiveModel
import WALFormat

extension TargetRefusal {
    /// What a user is told: why, the nearest targets on both sides, and what to type.
    package var error: ArchiveError {
        ArchiveError(code, what, hint: hint, details: details)
    }

    private var code: ErrorCode {
        if case .damaged = reason { .verificationFailed } else { .refused }
    }

    private var asked: String {
        switch target {
        case .time(let time, _): Instant.local(time)
        case .lsn(let position, _): position.description
        case .before(let position): "the state before \(position)"
        case .transaction(let id, _): "transaction \(id)"
        case .restorePoint(let name): "restore point '\(name)'"
        case .latest: "the latest state"
        case .snapshotItself: "the snapshot's moment"
        }
    }

    private var what: String {
        switch reason {
        case .noSnapshot: "there is no snapshot to make a clone from"
        case .notOnPath(let snapshot?, let timeline):
            "snapshot '\(snapshot)' is not on the way to timeline \(timeline): it was taken after that branched off, "
                + "or on another"
        case .notOnPath(nil, let timeline): "no snapshot is on the way to timeline \(timeline)"
        case .beforeFirst(let snapshot):
            "\(asked) cannot be reached: it lies before the oldest snapshot that could serve, '\(snapshot)'"
        case .notHere(let timeline, isOver: true):
            "\(asked) is not on timeline \(timeline), which has ended; without --timeline it is looked for "
                + "on the newest"
        case .notHere(_, isOver: false):
            "\(asked) is not in the archive yet"
                + (clock.map { "; upstream's clock was last seen at \(Instant.local($0))" } ?? "")
        case .gap(let segment, let snapshot):
            "WAL is missing: segment \(segment), which lies between snapshot '\(snapshot)' and the target"
        case .damaged(let segment, let position, let fault, let snapshot):
            "segment \(segment), which lies between snapshot '\(snapshot)' and the target, is damaged at "
                + "\(position): \(fault)"
        case .noTransaction(let sightings): transaction(sightings)
        case .noRestorePoint: "there is no \(asked) in what can be reached" + holeText
        case .barrier(let barrier, let snapshot):
            "between snapshot '\(snapshot)' and the target, at \(barrier.start), \(barrier.what)"
        }
    }

    private func transaction(_ sightings: TargetSightings) -> String {
        if let parent = sightings.parent {
            return "\(asked) is a part of transaction \(parent), and has no end of its own"
        }
        if sightings.isOpen { return "\(asked) has not ended in what the archive has" + holeText }
        if sightings.above == nil { return "\(asked) is not in the archive yet, or was never used" + holeText }
        if sightings.below == nil { return "\(asked) ended before the oldest snapshot, or was never used" + holeText }
        return "\(asked) has no commit or rollback in what can be reached: it never wrote anything" + holeText
    }

    private var holeText: String {
        holes.isEmpty ? "" : "; WAL is missing or damaged at \(holes.map(\.description).joined(separator: ", "))"
    }

    private var hint: String? {
        switch reason {
        case .noSnapshot: "'pgarchive snapshot create' takes one"
        case .notOnPath(.some, _): "leave --snapshot out, or choose another with 'pgarchive snapshot list'"
        case .notOnPath(nil, _): "leave --timeline out to follow the newest"
        case .barrier(let barrier, _): "the nearest target is --before \(barrier.start)"
        case .noTransaction(let sightings):
            sightings.parent.map { "--xid \($0) is the whole of it" }
                ?? "look at the transactions nearby, or use --at or --lsn"
        case .noRestorePoint(let known):
            if case .restorePoint(let name) = target,
                let near = Spelling.nearest(to: name, among: known.map(\.name))
            {
                "did you mean '\(near)'?"
            } else {
                known.isEmpty ? "pg_create_restore_point() makes one" : "the newest is '\(known.last?.name ?? "")'"
            }
        case .notHere(_, isOver: false):
            before.map { "use \(option($0)), or --latest for all that is here, or wait for the WAL" }
                ?? "wait until the WAL has arrived"
        case .notHere(_, isOver: true), .beforeFirst, .gap, .damaged:
            (nearest.map { "the nearest target is \(option($0))" })
        }
    }

    /// The nearer of the two, where that can be told.
    private var nearest: Reachable? {
        guard let before, let after else { return before ?? after }
        switch target {
        case .time(let time, _):
            guard let early = before.time, let late = after.time else { return before }
            return time.seconds(since: early) <= late.seconds(since: time) ? before : after
        case .lsn(let position, _), .before(let position):
            return position.bytes(since: before.position) <= after.position.bytes(since: position) ? before : after
        default: return before
        }
    }

    private func option(_ reachable: Reachable) -> String {
        "--lsn \(reachable.position)"
    }

    private var details: [String] {
        var lines: [String] = []
        if let before { lines.append("before it: \(text(before))") }
        if let after { lines.append("after it:  \(text(after))") }
        if case .noRestorePoint(let known) = reason {
            lines += known.suffix(5).reversed().map {
                "restore point '\($0.name)' of \(Instant.local($0.time)), \($0.end)"
            }
        }
        return lines
    }

    private func text(_ reachable: Reachable) -> String {
        var text = "\(reachable.position)"
        if let id = reachable.transactionID { text += ", transaction \(id)" }
        if let time = reachable.time { text += ", of \(Instant.local(time))" }
        return text
    }
}
