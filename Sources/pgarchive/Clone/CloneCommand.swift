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
            """,
        subcommands: [
            CloneCreateCommand.self, CloneListCommand.self, CloneStartCommand.self, CloneStatusCommand.self,
            ClonePsqlCommand.self, CloneLogCommand.self, CloneStopCommand.self, CloneRestartCommand.self,
            CloneReloadCommand.self, CloneDuplicateCommand.self, CloneDeleteCommand.self,
        ]
    )
}
