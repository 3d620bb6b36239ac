import ArchiveEngine
import ArgumentParser

struct StandbyStatusCommand: ContainerCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Show whether the standby runs, and how far it has replayed; exit 1 when it does not.",
        discussion: """
            Shows why it stands still if it does: held before a CREATE TABLESPACE, paused, or waiting for WAL that \
            is missing. To be up to one segment behind is normal: a segment is replayed when it is complete.

            EXAMPLES
              pgarchive standby status

            EXIT CODES
              0  it runs, even while it stands still
              1  it does not run

            SEE ALSO
              container status, standby log
            """
    )

    @OptionGroup var global: GlobalOptions

    func run(in container: Container) throws {
        try PartCommands.status(.standby, stations: ["durable", "replayed"], in: container, render)
    }
}
