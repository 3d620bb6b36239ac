import ArchiveEngine
import ArchiveModel
import ArgumentParser

struct SnapshotCreateCommand: ContainerCommand {
    static let configuration = CommandConfiguration(
        commandName: "create",
        abstract: "Take a snapshot of the standby.",
        discussion: """
            For cron, and before something risky upstream. It asks the standby for a restartpoint first, so that \
            clones of the snapshot have little to replay; the standby goes on replaying. The snapshot is named by \
            the UTC time, such as 20261121-082350, and kept in snapshots/ of the container.

            Refuses, with the reason, when the standby does not run, is held, paused or far behind, or has no recent \
            restartpoint (the setting snapshot.debt). Nothing is left of a snapshot that fails.

            EXAMPLES
              pgarchive snapshot create
              pgarchive snapshot create --name before-upgrade

            EXIT CODES
              4  the standby is not fit for it
              5  interrupted: nothing is left
              7  the name is taken

            SEE ALSO
              snapshot list, clone create, cron expire-and-create-snapshot
            """
    )

    @Flag(help: "Also when the standby does not run, does not replay, or has no recent restartpoint.")
    var force = false

    @Option(help: "Its name: a-z, 0-9, _, . and -, at most 48. (default: the UTC time)")
    var name: String?

    @OptionGroup var global: GlobalOptions

    func run(in container: Container) throws {
        let interruption = try Interruption()
        let record = try global.withProgress { progress in
            try SnapshotTake(container, progress: progress, interruption: interruption).run(name: name, force: force)
        }
        try render.done(
            record,
            "snapshot '\(record.name)' created at \(record.replayed)"
                + (record.lastTransactionTime.map { ", last commit \(HumanText.instant($0))" } ?? "")
                + ", \(HumanText.bytes(record.debtBytes)) to replay for a clone"
        )
    }
}
