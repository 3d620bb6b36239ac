import ArgumentParser

struct SnapshotCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "snapshot",
        abstract: "Take, list and remove read-only snapshots of the standby.",
        discussion: """
            A snapshot is the standby's whole cluster at one moment, copy-on-write: it is made in milliseconds \
            and takes space only for what changes afterwards. Clones are made from snapshots and go forward from \
            there, so the oldest snapshot is the earliest moment that can be reached.
            """,
        subcommands: [
            SnapshotCreateCommand.self, SnapshotDeleteCommand.self, SnapshotExpireCommand.self,
            SnapshotListCommand.self,
        ]
    )
}
