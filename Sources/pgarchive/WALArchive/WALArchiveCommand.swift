import ArgumentParser

struct WALArchiveCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "wal_archive",
        abstract: "The WAL archive: control, list and watch the process that receives WAL from the upstream.",
        discussion: """
            The process connects to the upstream using PostgreSQL's replication protocol, with the configured \
            replication slot, and stores what it receives in the wal_archive directory. WAL is checked and durable \
            there before the upstream is told so; after any interruption it goes on where it stopped.
            """,
        subcommands: [
            WALArchiveStartCommand.self, WALArchiveStopCommand.self, WALArchiveStatusCommand.self,
            WALArchiveListCommand.self, WALArchiveLogCommand.self, WALArchiveReceiveCommand.self,
        ],
        aliases: ["wal"]
    )
}
