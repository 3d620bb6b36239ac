import ArgumentParser

/// A request for a clone, from either form of the command line.
struct CloneRequest: Equatable {
    let name: String
    let target: TargetRequest

    init(words: [String], options: TargetOptions) throws {
        switch words.count {
        case 1:
            name = words[0]
            if options.hasNoTarget, options.snapshot == nil {
                throw ValidationError(
                    "say what '\(name)' should hold: --at TIME, --lsn LSN, --xid XID, --restore-point NAME, "
                        + "--before EVENT, --before-drop TABLE, --latest, or a snapshot before the name"
                )
            }
            target = try TargetRequest(options, otherwise: .snapshotItself, takesSettings: true)
        case 2, 3:
            if options.snapshot != nil {
                throw ValidationError("the snapshot is given twice: '\(words[0])' and with --snapshot")
            }
            name = words[1]
            let time = words.count == 3 ? words[2] : nil
            target = try TargetRequest(
                options,
                snapshot: words[0],
                time: time,
                otherwise: .snapshotItself,
                takesSettings: true
            )
        default:
            throw ValidationError("too many words: quote a time that has blanks, e.g. '10 minutes ago'")
        }
    }

    /// What to say when the name is a snapshot's and the snapshot is none.
    func swapped(among snapshots: [String]) -> String? {
        guard let snapshot = target.snapshot, !snapshots.contains(snapshot), snapshots.contains(name) else {
            return nil
        }
        return "the snapshot comes first: 'pgarchive clone create \(name) \(snapshot)'"
    }
}
