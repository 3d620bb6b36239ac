import ArgumentParser

struct WALArchiveCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "wal_archive",
        abstract: "The received WAL, and the process that receives it.",
        discussion: """
            The wal_archive process connects to the upstream by PostgreSQL's replication protocol, through the \
            container's replication slot, and stores WAL segments in the directory wal_archive/. What it \
            acknowledges to the upstream has been checked and is durable here. After an interruption it goes on \
            where it stopped.

            While it does not run, the upstream keeps all WAL for the slot: watch its disk space. 'wal' is short for \
            'wal_archive'.

            SETTINGS
              upstream_repl    the replication connection to the upstream
              slot             the replication slot
              wal.synchronous  true: commits upstream can wait for this archive
            """,
        subcommands: [
            WALArchiveStatusCommand.self, WALArchiveListCommand.self, WALArchiveLogCommand.self,
            WALArchiveStartCommand.self, WALArchiveStopCommand.self, WALArchiveReceiveCommand.self,
            WALArchiveInspectCommand.self, WALArchiveVerifyCommand.self, WALArchiveSalvageCommand.self,
            WALArchiveImportCommand.self, WALArchiveWindowCommand.self, WALArchiveEventsCommand.self,
            WALArchiveIndexCommand.self,
        ],
        aliases: ["wal"]
    )
}
