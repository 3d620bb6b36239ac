import ArchiveEngine
import ArgumentParser

struct StandbyStopCommand: ContainerCommand {
    static let configuration = CommandConfiguration(
        commandName: "stop",
        abstract: "Stop the standby.",
        discussion: """
            It stays stopped until it is started again. WAL is received all the same, and replayed later; no \
            snapshot can be taken meanwhile, but by force.

            EXAMPLES
              pgarchive standby stop

            SEE ALSO
              standby start, container stop
            """
    )

    @OptionGroup var stop: StopOptions

    @OptionGroup var global: GlobalOptions

    func run(in container: Container) throws {
        try PartCommands.stop(.standby, mode: stop.mode, in: container, render)
    }
}
