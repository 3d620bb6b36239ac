import ArchiveEngine
import ArgumentParser

struct StandbyStatusCommand: ContainerCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Check if the standby is running; exit 1 if it is not.",
        discussion: """
            Shows how far it has replayed, and in red why it stands still if it does: held before a CREATE \
            TABLESPACE, paused, or waiting for WAL that is missing.

            SEE ALSO
              container status, standby log
            """
    )

    @OptionGroup var global: GlobalOptions

    func run(in container: Container) throws {
        try PartCommands.status(.standby, stations: ["durable", "replayed"], in: container, render)
    }
}
