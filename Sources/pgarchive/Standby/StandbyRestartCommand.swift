import ArchiveEngine
import ArgumentParser

struct StandbyRestartCommand: ContainerCommand {
    static let configuration = CommandConfiguration(
        commandName: "restart",
        abstract: "Stop the standby and start it again.",
        discussion: """
            Returns when it answers queries again.

            SEE ALSO
              standby reload, standby stop
            """
    )

    @OptionGroup var stop: StopOptions

    @OptionGroup var global: GlobalOptions

    func run(in container: Container) throws {
        try PartCommands.restart(.standby, mode: stop.mode, in: container, render)
    }
}
