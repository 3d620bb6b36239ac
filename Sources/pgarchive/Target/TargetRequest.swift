import ArchiveEngine
import ArchiveModel
import ArgumentParser
import Platform
import WALFormat

/// What is to be recovered to, as it was asked for; nothing is looked up yet.
struct TargetRequest: Equatable {
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

    let wanted: Wanted
    let inclusive: Bool
    /// The only snapshot to start from.
    let snapshot: String?
    let timeline: TargetResolver.Timeline
    /// What was asked for, in the user's words.
    let text: String

    /// - Parameters:
    ///   - snapshot: where it is not given as an option.
    ///   - time: where it is not given as an option.
    ///   - otherwise: what is meant where no target is given.
    ///   - takesSettings: --set NAME=VALUE means something.
    init(
        _ options: TargetOptions,
        snapshot: String? = nil,
        time: String? = nil,
        otherwise: Wanted,
        takesSettings: Bool = false
    ) throws {
        if !takesSettings, let setting = options.settings.first {
            throw ValidationError("--set \(setting): only 'clone create' takes settings")
        }
        var targets = try Self.targets(options)
        if let time { targets.append((.time(time), time)) }
        if targets.isEmpty { targets.append((otherwise, otherwise == .latest ? "latest" : Self.snapshotsMoment)) }
        guard let target = targets.first, targets.count == 1 else {
            throw ValidationError("only one target can be given, and these are \(targets.count)")
        }
        wanted = target.0
        inclusive = !options.exclusive
        self.snapshot = snapshot ?? options.snapshot
        timeline = try Self.timeline(options.timeline)
        text = target.1 + (options.exclusive ? ", exclusive" : "")
        switch wanted {
        case .time, .lsn, .transaction: break
        default:
            if options.exclusive {
                throw ValidationError("--exclusive goes with a time, a position or a transaction: --at, --lsn, --xid")
            }
        }
        if wanted == .snapshotItself, self.snapshot == nil {
            throw ValidationError("the moment of which snapshot? Name it, or use --latest")
        }
    }

    /// Whether it is told by the archive's events.
    var isBeforeDrop: Bool {
        if case .beforeDrop = wanted { true } else { false }
    }

    // MARK: - Looking it up

    /// How it is reached; what a user should know of it is said.
    ///
    /// - Parameters:
    ///   - work: the command, for those who find the index in use.
    ///   - crashed: WAL that is taken into the archive before the plan is carried out.
    ///   - takesImage: a snapshot's image will do.
    func plan(
        in container: Container,
        for work: String,
        and crashed: CrashedWAL? = nil,
        takesImage: Bool = false,
        _ global: some CommonOptions
    ) throws -> RestorePlan {
        try planned(in: container, for: work, and: crashed, takesImage: takesImage, global).plan
    }

    /// The same, with the event that it ends before, where it is one's.
    func planned(
        in container: Container,
        for work: String,
        and crashed: CrashedWAL? = nil,
        takesImage: Bool = false,
        _ global: some CommonOptions
    ) throws -> (plan: RestorePlan, event: LSN?) {
        let render = global.render
        let index = TargetIndex.of(container, for: work) { render.warning($0) }
        let resolver = TargetResolver(container, index: index, and: crashed)
        let target = try target(resolver, index, in: container, global)
        if case .time(let time, _) = target { render.remark("target time: \(HumanText.instant(time))") }
        let plan = try global.withProgress { progress in
            progress.step("looking for the target in the WAL")
            return try resolver.resolve(target, snapshot: snapshot, timeline: timeline, takesImage: takesImage)
        }
        for warning in plan.warnings { render.warning(warning) }
        if case .before(let event) = target { return (plan, event) }
        return (plan, nil)
    }

    /// The target with its time read, and the table's end looked up.
    private func target(
        _ resolver: TargetResolver,
        _ index: TargetIndex,
        in container: Container,
        _ global: some CommonOptions
    ) throws -> Target {
        switch wanted {
        case .time(let text): return .time(try TimeInput.resolve(text), inclusive: inclusive)
        case .lsn(let position): return .lsn(position, inclusive: inclusive)
        case .transaction(let id): return .transaction(id, inclusive: inclusive)
        case .restorePoint(let name): return .restorePoint(name)
        case .before(let position): return .before(position)
        case .beforeDrop(let table):
            let path = try resolver.path(timeline, snapshot: snapshot)
            return try TableDrop.target(table, index, along: path) { position in
                let interruption = try Interruption()
                return try global.withProgress { progress in
                    try EventLook(container, progress: progress, interruption: interruption)
                        .nameDrops(after: position, along: path) { [render = global.render] in render.warning($0) }
                }
            }
        case .latest: return .latest
        case .snapshotItself: return .snapshotItself
        }
    }

    // MARK: - Reading the options

    private static let snapshotsMoment = "the snapshot's own moment"

    private static func targets(_ options: TargetOptions) throws -> [(Wanted, String)] {
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
        if options.immediate { targets.append((.snapshotItself, snapshotsMoment)) }
        switch (options.type, options.target) {
        case (nil, nil): break
        case (.time, let text?): targets.append((.time(text), text))
        case (.lsn, let text?): targets.append((.lsn(try lsn(text)), text))
        case (.xid, let text?): targets.append((.transaction(try transaction(text)), "transaction \(text)"))
        case (.name, let text?): targets.append((.restorePoint(text), "restore point \(text)"))
        case (.latest, nil), (.default, nil): targets.append((.latest, "latest"))
        case (.immediate, nil): targets.append((.snapshotItself, snapshotsMoment))
        case (nil, _?): throw ValidationError("--target needs --type=time, lsn, xid or name")
        case (.time, nil), (.lsn, nil), (.xid, nil), (.name, nil):
            throw ValidationError("--type=\(options.type?.rawValue ?? "") needs --target")
        case (_, _?): throw ValidationError("--type=\(options.type?.rawValue ?? "") takes no --target")
        }
        return targets
    }

    /// As PostgreSQL shows them: also with the epoch in front, as `pg_current_xact_id()` does.
    static func transaction(_ text: String) throws -> UInt32 {
        guard let number = UInt64(text), text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
            throw ValidationError("'\(text)' is not a transaction id; one is a number such as 74921")
        }
        let id = UInt32(truncatingIfNeeded: number)
        guard id >= 3 else { throw ValidationError("\(text) is no transaction's id: they begin with 3") }
        return id
    }

    static func lsn(_ text: String) throws -> LSN {
        guard let position = LSN(text) else {
            throw ValidationError("'\(text)' is not a WAL position; one looks like 16/B374D848")
        }
        return position
    }

    static func timeline(_ text: String?) throws -> TargetResolver.Timeline {
        guard let text, text != "latest" else { return .newest }
        if text == "current" { return .current }
        guard let number = UInt32(text), number > 0 else {
            throw ValidationError("'\(text)' is not a timeline; one is a number such as 2, or 'latest', or 'current'")
        }
        return .number(TimelineID(number))
    }
}
