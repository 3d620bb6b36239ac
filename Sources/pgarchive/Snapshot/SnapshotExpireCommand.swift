import ArchiveEngine
import ArchiveModel
import ArgumentParser
import WALFormat

struct SnapshotExpireCommand: ContainerCommand {
    static let configuration = CommandConfiguration(
        commandName: "expire",
        abstract: "Delete snapshots older than the expiry date, and WAL that nothing needs.",
        discussion: """
            The date is the setting keep.expire_date (default: 1 week ago), or EXPIRE_DATE in the environment, as \
            'date --date' understands it. Every moment since then stays reachable. Therefore the newest snapshot \
            that is older than the date is kept; so are the newest keep.minimum snapshots (default: 2), and those \
            from which a clone has still to recover.

            WAL is removed only where it is older than what all of these, and the standby, need.

            While nothing is received, whether the upstream is dead or the container stopped, the setting's date \
            is measured from when the upstream was last heard, not from now: what was before stays. A date in \
            EXPIRE_DATE is taken as it is.

            EXAMPLES
              pgarchive snapshot expire --show
              EXPIRE_DATE='3 days ago' pgarchive snapshot expire --show

            SEE ALSO
              cron expire-and-create-snapshot, snapshot delete, wal_archive list
            """
    )

    @Flag(help: "Only show what would be deleted and what is kept, and why.")
    var show = false

    @OptionGroup var global: GlobalOptions

    func run(in container: Container) throws {
        let date = try ExpiryDate(container)
        render.remark("expiry date: \(date.shown)")
        if let remark = date.remark { render.warning(remark) }
        if show {
            let plan = try Expiry(container).plan(expire: date.instant)
            try render.show(ExpiryView(plan, date)) { ExpiryView(plan, date).text($0) }
            return
        }
        let outcome = try Expiry(container).run(expire: date.instant)
        try render.done(outcome, Self.sentence(outcome))
    }

    static func sentence(_ outcome: Expiry.Outcome) -> String {
        let names = outcome.snapshots.joined(separator: ", ")
        let snapshots =
            outcome.snapshots.isEmpty
            ? "no snapshot deleted"
            : "deleted \(HumanText.count(outcome.snapshots.count, "snapshot")): \(names)"
        let segments =
            outcome.segments == 0
            ? "no WAL removed"
            : "removed \(HumanText.count(outcome.segments, "WAL segment")), \(HumanText.bytes(outcome.segmentBytes))"
        return "\(snapshots); \(segments)"
    }
}

/// The date before which snapshots expire, and where it was said.
struct ExpiryDate {
    let text: String
    let instant: PostgresTime
    /// Why it is another than the text says.
    let remark: String?

    var shown: String { "\(HumanText.instant(instant)) (\(text))" }

    init(_ container: Container) throws {
        let override = Terminal.environment("EXPIRE_DATE") ?? ""
        text = override.isEmpty ? container.settings.expireDate : override
        do {
            let asked = try TimeInput.resolve(text)
            let standing = override.isEmpty ? Expiry(container).standing(asked) : nil
            instant = standing?.instant ?? asked
            remark = standing?.remark
        } catch let error as ArchiveError where error.code == .usage {
            throw ArchiveError(
                .usage,
                "the expiry date is wrong: \(error.what)",
                hint: override.isEmpty
                    ? "correct keep.expire_date in '\(container.paths.settings)', e.g. \"1 week ago\""
                    : "correct EXPIRE_DATE in the environment, e.g. '1 week ago'"
            )
        }
    }
}

/// A retention plan as it is shown.
struct ExpiryView: Encodable {
    struct Kept: Encodable {
        let snapshot: String
        let reason: String
    }

    let expireDate: PostgresTime
    let deleteSnapshots: [String]
    let keepSnapshots: [Kept]
    let walFloor: LSN?
    let removeSegments: [String]
    let waitingForCopies: [String: Int]

    init(_ plan: RetentionPlan, _ date: ExpiryDate) {
        expireDate = date.instant
        deleteSnapshots = plan.snapshotsToDelete.map(\.name)
        keepSnapshots = plan.kept.map { Kept(snapshot: $0.snapshot, reason: $0.reason) }
        walFloor = plan.walFloor
        removeSegments = plan.segmentsToRemove.map(\.description)
        waitingForCopies = plan.waitingForCopies
    }

    func text(_ palette: Palette) -> String {
        var table = TableText([("ACTION", .left), ("SNAPSHOT", .left), ("REASON", .left)], whenEmpty: "no snapshots")
        for name in deleteSnapshots { table.add([.init("delete", .bad), .init(name), "older than the expiry date"]) }
        for kept in keepSnapshots { table.add([.init("keep", .good), .init(kept.snapshot), .init(kept.reason)]) }
        let copies = waitingForCopies.sorted { $0.key < $1.key }.map { name, count in
            "WAL: \(HumanText.count(count, "segment")) only kept until copy '\(name)' has taken them\n"
        }
        return table.text(palette) + wal + "\n" + copies.joined()
    }

    private var wal: String {
        guard let walFloor else { return "WAL: nothing is removed, since the standby's state cannot be read" }
        guard let first = removeSegments.first, let last = removeSegments.last else {
            return "WAL: nothing to remove; needed from \(walFloor) on"
        }
        let range = removeSegments.count == 1 ? first : "\(first) to \(last)"
        return "WAL: \(HumanText.count(removeSegments.count, "segment")) to remove (\(range)); "
            + "needed from \(walFloor) on"
    }
}
