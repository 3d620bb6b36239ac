import ArgumentParser

struct StandbyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "standby",
        abstract: "The standby: a warm standby PostgreSQL instance which is fed from the wal_archive.",
        discussion: """
            It has no connection to the upstream, replays each segment when it is complete, and is what snapshots are \
            taken of. Its configuration is generated; settings of your own belong in standby.conf in the container.
            """,
        subcommands: [
            StandbyStartCommand.self, StandbyStopCommand.self, StandbyStatusCommand.self, StandbyReloadCommand.self,
            StandbyRestartCommand.self, StandbyLogCommand.self, StandbyPsqlCommand.self,
        ]
    )
}
