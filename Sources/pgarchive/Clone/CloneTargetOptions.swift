import ArchiveEngine
import ArchiveModel
import ArgumentParser
import WALFormat

/// What a clone is asked for, in our words, pgBackRest's and Barman's.
struct CloneTargetOptions: ParsableArguments {
    enum TargetType: String, CaseIterable, ExpressibleByArgument {
        case time
        case lsn
        case xid
        case name
        case immediate
        case latest
        case `default`
    }

    @Option(
        name: [.customLong("at"), .customLong("target-time")],
        help: ArgumentHelp("With all that committed up to this instant.", valueName: "time")
    )
    var time: String?

    @Option(
        name: [.customLong("lsn"), .customLong("target-lsn")],
        help: ArgumentHelp("With all WAL up to the record at this position, such as 16/B374D848.", valueName: "lsn")
    )
    var lsn: String?

    @Option(
        name: [.customLong("xid"), .customLong("target-xid")],
        help: ArgumentHelp("With all that had committed when this transaction ended, and with it.", valueName: "xid")
    )
    var transaction: String?

    @Option(
        name: [.customLong("restore-point"), .customLong("target-name")],
        help: ArgumentHelp("At the first restore point of this name (pg_create_restore_point).", valueName: "name")
    )
    var restorePoint: String?

    @Option(help: ArgumentHelp("Just before the event at this position: 'wal_archive events'.", valueName: "event"))
    var before: String?

    @Option(help: ArgumentHelp("Just before the table was dropped the last time.", valueName: "table"))
    var beforeDrop: String?

    @Flag(name: [.customLong("latest")], help: "With all that the archive has received.")
    var latest = false

    @Flag(
        name: [.customLong("immediate"), .customLong("target-immediate")],
        help: "At the snapshot's own moment; needs --snapshot."
    )
    var immediate = false

    @Flag(
        name: [.customLong("exclusive"), .customLong("target-exclusive")],
        help: "Without what is exactly at the time, at the position, or in the transaction."
    )
    var exclusive = false

    @Option(help: ArgumentHelp("pgBackRest's spelling: what --target is.", valueName: "type"))
    var type: TargetType?

    @Option(help: ArgumentHelp("With --type=time, lsn, xid or name: which.", valueName: "target"))
    var target: String?

    @Option(
        name: [.customLong("timeline"), .customLong("target-timeline"), .customLong("target-tli")],
        help: ArgumentHelp("The timeline to follow: a number, latest or current. (default: latest)", valueName: "n")
    )
    var timeline: String?

    @Option(
        name: [.customLong("snapshot"), .customLong("set")],
        help: "The snapshot to start from. (default: the one with the least to replay)",
        completion: .custom { words, _, _ in Completions.snapshots(words) }
    )
    var snapshot: String?

    var hasNoTarget: Bool {
        time == nil && lsn == nil && transaction == nil && restorePoint == nil && before == nil && beforeDrop == nil
            && !latest && !immediate && type == nil && target == nil
    }
}

/// A request for a clone, from either form of the command line.
struct CloneRequest: Equatable {
    enum Wanted: Equatable {
        case time(String)
        case lsn(LSN)
        case transaction(UInt32)
        case restorePoint(String)
        case before(LSN)
        case beforeDrop(String)
        case latest
        case snapshotItself
    }

    let name: String
    let snapshot: String?
    let wanted: Wanted
    let inclusive: Bool
    let timeline: TargetResolver.Timeline
    /// What was asked for, in the user's words.
    let text: String

    init(words: [String], options: CloneTargetOptions) throws {
        var targets = try Self.targets(options)
        timeline = try Self.timeline(options.timeline)
        switch words.count {
        case 1:
            name = words[0]
            snapshot = options.snapshot
            if targets.isEmpty, options.snapshot != nil {
                targets.append((.snapshotItself, "the snapshot's own moment"))
            }
            if targets.isEmpty {
                throw ValidationError(
                    "say what '\(name)' should hold: --at TIME, --lsn LSN, --xid XID, --restore-point NAME, "
                        + "--before EVENT, --before-drop TABLE, --latest, or a snapshot before the name"
                )
            }
        case 2, 3:
            if options.snapshot != nil {
                throw ValidationError("the snapshot is given twice: '\(words[0])' and with --snapshot")
            }
            snapshot = words[0]
            name = words[1]
            if words.count == 3 { targets.append((.time(words[2]), words[2])) }
            if targets.isEmpty { targets.append((.snapshotItself, "the snapshot's own moment")) }
        default:
            throw ValidationError("too many words: quote a time that has blanks, e.g. '10 minutes ago'")
        }
        guard let target = targets.first, targets.count == 1 else {
            throw ValidationError("only one target can be given, and these are \(targets.count)")
        }
        wanted = target.0
        inclusive = !options.exclusive
        text = target.1 + (options.exclusive ? ", exclusive" : "")
        switch wanted {
        case .time, .lsn, .transaction: break
        default:
            if options.exclusive {
                throw ValidationError("--exclusive goes with a time, a position or a transaction: --at, --lsn, --xid")
            }
        }
        if wanted == .snapshotItself, snapshot == nil {
            throw ValidationError("the moment of which snapshot? Name it, or use --latest")
        }
    }

    /// What to say when the name is a snapshot's and the snapshot is none.
    func swapped(among snapshots: [String]) -> String? {
        guard let snapshot, !snapshots.contains(snapshot), snapshots.contains(name) else { return nil }
        return "the snapshot comes first: 'pgarchive clone create \(name) \(snapshot)'"
    }

    /// Whether it is told by the archive's events.
    var isBeforeDrop: Bool {
        if case .beforeDrop = wanted { true } else { false }
    }

    /// The target with its time read, and the table's end looked up.
    func resolvedTarget(
        _ index: TargetIndex?,
        in container: Container,
        _ global: GlobalOptions
    ) throws -> Target {
        switch wanted {
        case .time(let text): .time(try TimeInput.resolve(text), inclusive: inclusive)
        case .lsn(let position): .lsn(position, inclusive: inclusive)
        case .transaction(let id): .transaction(id, inclusive: inclusive)
        case .restorePoint(let name): .restorePoint(name)
        case .before(let position): .before(position)
        case .beforeDrop(let table): try beforeDrop(of: table, index, in: container, global)
        case .latest: .latest
        case .snapshotItself: .snapshotItself
        }
    }

    private func beforeDrop(
        of table: String,
        _ index: TargetIndex?,
        in container: Container,
        _ global: GlobalOptions
    ) throws -> Target {
        let path = try TargetResolver(container, index: index).path(timeline, snapshot: snapshot)
        return try TableDrop.target(table, index, along: path) { position in
            let interruption = try Interruption()
            return try global.withProgress { progress in
                try EventLook(container, progress: progress, interruption: interruption)
                    .nameDrops(after: position, along: path) { global.render.warning($0) }
            }
        }
    }

    private static func targets(_ options: CloneTargetOptions) throws -> [(Wanted, String)] {
        var targets: [(Wanted, String)] = []
        if let time = options.time { targets.append((.time(time), time)) }
        if let text = options.lsn { targets.append((.lsn(try lsn(text)), text)) }
        if let text = options.transaction {
            targets.append((.transaction(try transaction(text)), "transaction \(text)"))
        }
        if let name = options.restorePoint { targets.append((.restorePoint(name), "restore point \(name)")) }
        if let text = options.before { targets.append((.before(try lsn(text)), "before \(text)")) }
        if let table = options.beforeDrop { targets.append((.beforeDrop(table), "before the drop of \(table)")) }
        if options.latest { targets.append((.latest, "latest")) }
        if options.immediate { targets.append((.snapshotItself, "the snapshot's own moment")) }
        switch (options.type, options.target) {
        case (nil, nil): break
        case (.time, let text?): targets.append((.time(text), text))
        case (.lsn, let text?): targets.append((.lsn(try lsn(text)), text))
        case (.xid, let text?): targets.append((.transaction(try transaction(text)), "transaction \(text)"))
        case (.name, let text?): targets.append((.restorePoint(text), "restore point \(text)"))
        case (.latest, nil), (.default, nil): targets.append((.latest, "latest"))
        case (.immediate, nil): targets.append((.snapshotItself, "the snapshot's own moment"))
        case (nil, _?): throw ValidationError("--target needs --type=time, lsn, xid or name")
        case (.time, nil), (.lsn, nil), (.xid, nil), (.name, nil):
            throw ValidationError("--type=\(options.type?.rawValue ?? "") needs --target")
        case (_, _?): throw ValidationError("--type=\(options.type?.rawValue ?? "") takes no --target")
        }
        return targets
    }

    /// As PostgreSQL shows them: also with the epoch in front, as `pg_current_xact_id()` does.
    private static func transaction(_ text: String) throws -> UInt32 {
        guard let number = UInt64(text), text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
            throw ValidationError("'\(text)' is not a transaction id; one is a number such as 74921")
        }
        let id = UInt32(truncatingIfNeeded: number)
        guard id >= 3 else { throw ValidationError("\(text) is no transaction's id: they begin with 3") }
        return id
    }

    private static func lsn(_ text: String) throws -> LSN {
        guard let position = LSN(text) else {
            throw ValidationError("'\(text)' is not a WAL position; one looks like 16/B374D848")
        }
        return position
    }

    private static func timeline(_ text: String?) throws -> TargetResolver.Timeline {
        guard let text, text != "latest" else { return .newest }
        if text == "current" { return .current }
        guard let number = UInt32(text), number > 0 else {
            throw ValidationError("'\(text)' is not a timeline; one is a number such as 2, or 'latest', or 'current'")
        }
        return .number(TimelineID(number))
    }
}
