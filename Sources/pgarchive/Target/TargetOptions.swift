import ArchiveModel
import ArgumentParser

/// What a clone or a restored cluster is to hold, in our words, pgBackRest's and Barman's.
struct TargetOptions: ParsableArguments {
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
        help: ArgumentHelp("At the first restore point of this name (pg_create_restore_point).", valueName: "name"),
        completion: .custom { words, _, _ in Completions.restorePoints(words) }
    )
    var restorePoint: String?

    @Option(
        help: ArgumentHelp("Just before the event at this position: 'wal_archive events'.", valueName: "event"),
        completion: .custom { words, _, _ in Completions.events(words) }
    )
    var before: String?

    @Option(
        help: ArgumentHelp("Just before the table was dropped the last time.", valueName: "table"),
        completion: .custom { words, _, _ in Completions.tables(words, of: .drop) }
    )
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

    @OptionGroup var timelineOption: TimelineOption
    var timeline: String? { timelineOption.timeline }

    @Option(
        name: .customLong("snapshot"),
        help: "The snapshot to start from. (default: the one with the least to replay)",
        completion: .custom { words, _, _ in Completions.snapshots(words) }
    )
    var namedSnapshot: String?

    @Option(
        name: .customLong("set"),
        help: ArgumentHelp(
            "A setting of the new clone, NAME=VALUE, as often as you like; or pgBackRest's spelling of --snapshot.",
            valueName: "setting"
        )
    )
    var sets: [String] = []

    /// A snapshot's name has no `=`.
    var snapshot: String? { namedSnapshot ?? sets.first { !$0.contains("=") } }

    /// What of `--set` is a setting.
    var settings: [String] { sets.filter { $0.contains("=") } }

    func validate() throws {
        let names = sets.filter { !$0.contains("=") }
        if names.count + (namedSnapshot == nil ? 0 : 1) > 1 {
            throw ValidationError("only one snapshot can be given; a setting is given as --set NAME=VALUE")
        }
    }

    var hasNoTarget: Bool {
        time == nil && lsn == nil && transaction == nil && restorePoint == nil && before == nil && beforeDrop == nil
            && !latest && !immediate && type == nil && target == nil
    }
}
