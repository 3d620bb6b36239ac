import ArchiveEngine
import ArchiveModel
import ArgumentParser
import WALFormat

struct CloneCreateCommand: ContainerCommand {
    static let configuration = CommandConfiguration(
        commandName: "create",
        abstract: "Create a new named (PostgreSQL) clone instance from a snapshot.",
        usage: """
            pgarchive clone create <snapshot> <name> [<target-time>] [<options>]
                   pgarchive clone create <name> --at TIME | --lsn LSN | --latest [<options>]
            """,
        discussion: """
            In the first form the clone recovers to the moment of the snapshot, or to the target time, which \
            should be after it. In the second form the best snapshot is picked for you. The target is looked up in \
            the WAL first: what cannot be reached is refused, with the nearest targets, before anything is made; \
            what can be reached is printed as an exact instant and position.

            TIME is anything that 'date --date' understands: '10 minutes ago', '2026-11-21 08:50', '@1763713430'. \
            All that committed up to and including that instant is in the clone.

            The clone gets a port of its own. It is not started unless you say --start, so that its postgresql.conf \
            may be edited before recovery begins. --start returns when it takes writes.

            EXAMPLE
              pgarchive clone create look --at '2026-11-21 08:50' --start
              pgarchive clone create 20261121-082350 test
              pgarchive clone create newest --latest --dry-run

            The spellings of pgBackRest and Barman are understood: --type=time --target=TIME, --target-time, \
            --target-lsn, --target-timeline, --set.

            SEE ALSO
              snapshot list, clone start, clone psql, clone delete
            """
    )

    @Argument(
        help: ArgumentHelp("<snapshot> <name> [<target-time>], or <name>.", valueName: "name"),
        completion: .custom { words, _, _ in Completions.snapshots(words) }
    )
    var words: [String]

    @OptionGroup(title: "Target") var targetOptions: CloneTargetOptions

    @Flag(help: "Start it, and return when it takes writes.")
    var start = false

    @Flag(name: [.customLong("dry-run"), .customShort("n")], help: "Only show what would be done.")
    var dryRun = false

    @OptionGroup var global: GlobalOptions

    func validate() throws {
        _ = try request()
    }

    private func request() throws -> CloneRequest {
        try CloneRequest(words: words, options: targetOptions)
    }

    func run(in container: Container) throws {
        let request = try request()
        try Name.check(request.name, what: "clone")
        let target = try request.resolvedTarget()
        if case .time(let time) = target { render.remark("target time: \(HumanText.instant(time))") }
        let plan = try global.withProgress { progress in
            progress.step("looking for the target in the WAL")
            return try TargetResolver(container).resolve(
                target,
                snapshot: request.snapshot,
                timeline: request.timeline
            )
        }
        for warning in plan.warnings { render.warning(warning) }
        let view = ClonePlanView(name: request.name, requested: request.text, plan: plan)
        if dryRun {
            try render.show(view) { _ in view.text }
            return
        }
        render.remark(view.summary)
        let record = try global.withProgress { progress in
            try CloneCreate(container, progress: progress).run(name: request.name, plan: plan, requested: request.text)
        }
        var result = CloneResult(clone: record)
        if start { result.started = try CloneStartCommand.start(record, in: container, global: global) }
        try render.done(result, result.sentence(verb: "created"))
    }
}

/// What making or starting a clone led to.
struct CloneResult: Encodable {
    var clone: CloneRecord
    var started: CloneServer.Started?

    func sentence(verb: String) -> String {
        guard let started else {
            return
                "clone '\(clone.name)' \(verb) on port \(clone.port); 'pgarchive clone start \(clone.name)' starts it"
        }
        let replayed =
            started.replayedBytes > 0 ? ", \(HumanText.bytes(started.replayedBytes)) of WAL replayed" : ""
        return "clone '\(clone.name)' is running on port \(started.port) after "
            + "\(HumanText.elapsed(seconds: started.seconds))\(replayed)"
    }
}

/// A plan as it is shown.
struct ClonePlanView: Encodable {
    let name: String
    let requested: String
    let plan: RestorePlan

    var summary: String {
        "recovers to \(plan.stop) on timeline \(plan.path.target)"
            + (plan.lastTransactionTime.map { ", last commit \(HumanText.instant($0))" } ?? "")
            + ", from snapshot '\(plan.snapshot)', \(HumanText.bytes(plan.debtBytes)) of WAL to replay"
    }

    var text: String {
        var lines: [(String, String)] = [
            ("clone", name),
            ("asked for", requested),
            ("snapshot", plan.snapshot),
            ("replay from", "\(plan.redo)"),
            ("stop at", "\(plan.stop)"),
            ("WAL to replay", HumanText.bytes(plan.debtBytes)),
            ("timelines", "\(plan.path)"),
        ]
        if let time = plan.lastTransactionTime {
            let transaction = plan.lastTransactionID.map { " (transaction \($0))" } ?? ""
            lines.append(("last commit in it", HumanText.instant(time) + transaction))
        }
        if let time = plan.firstLeftOut { lines.append(("first left out", HumanText.instant(time))) }
        let width = lines.map(\.0.count).max() ?? 0
        return lines.map { label, value in
            label + String(repeating: " ", count: width - label.count + 2) + value + "\n"
        }.joined()
    }
}
