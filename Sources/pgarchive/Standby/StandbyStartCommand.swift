import ArchiveEngine
import ArgumentParser

struct StandbyStartCommand: ContainerCommand {
    static let configuration = CommandConfiguration(
        commandName: "start",
        abstract: "Start the standby.",
        discussion: """
            The container's supervisor keeps it running, and is started too if there is none; the wal_archive \
            process is left as it is. Returns when the standby answers queries, or with exit code 1 and the reason \
            when it does not; it goes on being tried.

            EXAMPLES
              pgarchive standby start

            SEE ALSO
              standby status, standby log, container start
            """
    )

    @OptionGroup var wait: WaitOptions

    @OptionGroup var pgCtl: PgCtlOptions

    @OptionGroup var global: GlobalOptions

    func run(in container: Container) throws {
        try pgCtl.refuse(in: container)
        try PartCommands.start(.standby, wait, in: container, render)
    }
}
