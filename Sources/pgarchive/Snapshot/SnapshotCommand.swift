import ArgumentParser

struct SnapshotCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "snapshot",
        abstract: "Read-only copies of the standby, from which clones are made.",
        discussion: """
            A snapshot is the whole cluster as the standby had it at one moment. Clones go forward from a snapshot, \
            never back: the oldest snapshot is the earliest moment that can be reached, and frequent ones make \
            clones start quickly. cron takes and expires them ('cron expire-and-create-snapshot').

            On btrfs a snapshot is made at once and takes space only for what changes afterwards; on xfs with \
            reflinks likewise, but file by file. Elsewhere it is a whole copy.

            SETTINGS
              snapshot.debt     WAL that a new snapshot may leave a clone to replay
              snapshot.ready    of how many of the newest clones start at once
              keep.expire_date  how far back every moment stays reachable
              keep.minimum      how many snapshots expiry always leaves
            """,
        subcommands: [
            SnapshotCreateCommand.self, SnapshotListCommand.self, SnapshotPrepareCommand.self,
            SnapshotExpireCommand.self, SnapshotDeleteCommand.self,
        ]
    )
}
