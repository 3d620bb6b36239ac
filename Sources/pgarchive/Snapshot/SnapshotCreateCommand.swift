import ArchiveEngine
import ArchiveModel
import ArgumentParser

struct SnapshotCreateCommand: ContainerCommand {
    static let configuration = CommandConfiguration(
        commandName: "create",
        abstract: "Create a new snapshot of the standby directory under snapshots/.",
        discussion: """
            Asks the standby for a restartpoint first, so that clones of the snapshot have little to replay. \
            Refuses, and says why, when the standby is not running, is held or far behind, or has no recent \
            restartpoint. The standby goes on replaying meanwhile.

            The snapshot's name is the time in UTC, such as 20261121-082350.

            EXAMPLE
              pgarchive snapshot create
              pgarchive snapshot create --name before-upgrade

            SEE ALSO
              snapshot list, clone create, cron expire-and-create-snapshot
            """
    )

    @Flag(help: "Do this even when the standby is not running, does not replay, or has no recent restartpoint.")
    var force = false

    @Option(help: "A name instead of the time.")
    var name: String?

    @OptionGroup var global: GlobalOptions

    func run(in container: Container) throws {
        let record = try global.withProgress { try SnapshotTake(container, progress: $0).run(name: name, force: force) }
        try render.done(
            record,
            "snapshot '\(record.name)' created at \(record.replayed)"
                + (record.lastTransactionTime.map { ", last commit \(HumanText.instant($0))" } ?? "")
                + ", \(HumanText.bytes(record.debtBytes)) to replay for a clone"
        )
    }
}
