import ArgumentParser

struct StandbyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "standby",
        abstract: "The server that replays the WAL, and of which snapshots are taken.",
        discussion: """
            A PostgreSQL server in recovery, fed from the WAL archive alone: it has no connection to the upstream, \
            replays each segment once it is complete, and answers read-only queries to its owner over a Unix socket.

            Its configuration is generated. Settings of your own belong in standby.conf in the container.

            SETTINGS
              standby.shared_buffers            its memory
              standby.shared_preload_libraries  what WAL cannot be replayed without
            """,
        subcommands: [
            StandbyStatusCommand.self, StandbyPsqlCommand.self, StandbyLogCommand.self, StandbyStartCommand.self,
            StandbyStopCommand.self, StandbyRestartCommand.self, StandbyReloadCommand.self,
        ]
    )
}
