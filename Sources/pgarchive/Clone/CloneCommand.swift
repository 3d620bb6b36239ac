import ArgumentParser

struct CloneCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "clone",
        abstract: "Writable servers as of a moment of your choice.",
        discussion: """
            A clone is a copy of a snapshot which recovers to its target when it first starts. From then on it is a \
            PostgreSQL server of its own, with its own port, until you delete it. It is isolated: it archives \
            nowhere, replicates from nowhere, applies no subscription, and listens on this host only.

            postgresql.conf and pg_hba.conf in clones/NAME/ of the container are yours to edit. It holds the data, \
            roles and passwords of the upstream: guard it as well as that.

            SETTINGS
              clone.ports           the ports of new clones
              clone.shared_buffers  the memory of a new clone
              clone.expire_after    the time after which new clones are removed
              clone.idle_stop       the time without use after which clones are stopped
            """,
        subcommands: [
            CloneCreateCommand.self, CloneListCommand.self, CloneStartCommand.self, CloneStatusCommand.self,
            ClonePsqlCommand.self, CloneConnectCommand.self, CloneLogCommand.self, CloneStopCommand.self,
            CloneRestartCommand.self, CloneReloadCommand.self, CloneDuplicateCommand.self, CloneSnapshotCommand.self,
            CloneResetCommand.self, CloneProtectCommand.self, CloneUnprotectCommand.self, CloneAlterCommand.self,
            CloneExpireCommand.self, CloneDeleteCommand.self,
        ]
    )
}
