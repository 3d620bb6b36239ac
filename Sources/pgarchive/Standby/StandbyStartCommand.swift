import ArchiveEngine
import ArgumentParser

struct StandbyStartCommand: ContainerCommand {
    static let configuration = CommandConfiguration(
        commandName: "start",
        abstract: "Start the standby.",
        discussion: """
            It is kept running by the container's supervisor, which is started too if there is none; the wal_archive \
            process is left as it is. Returns when the standby answers queries, or says why it does not.

            SEE ALSO
              container start, standby status, standby log
            """
    )

    @OptionGroup var global: GlobalOptions

    func run(in container: Container) throws {
        try PartCommands.start(.standby, in: container, render)
    }
}
