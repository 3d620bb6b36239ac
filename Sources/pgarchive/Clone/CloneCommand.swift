import ArgumentParser

struct CloneCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "clone",
        abstract: "Make and run writable copies of the cluster at a moment of your choice.",
        discussion: """
            A clone is a copy-on-write copy of a snapshot, which recovers to its target when it first starts and is \
            then a PostgreSQL server of its own, with its own port, for as long as you need it. It is isolated: it \
            archives nowhere, replicates from nowhere, applies no subscription, and listens on this host only.

            Its files lie in clones/<name>/: postgresql.conf and pg_hba.conf there are yours to edit.
            """,
        subcommands: [
            CloneCreateCommand.self, CloneDuplicateCommand.self, CloneDeleteCommand.self, CloneStartCommand.self,
            CloneStopCommand.self, CloneStatusCommand.self, CloneReloadCommand.self, CloneRestartCommand.self,
            CloneListCommand.self, CloneLogCommand.self, ClonePsqlCommand.self,
        ]
    )
}
