import ArchiveEngine
import ArgumentParser

struct StandbyRestartCommand: ContainerCommand {
    static let configuration = CommandConfiguration(
        commandName: "restart",
        abstract: "Stop the standby and start it again, with the settings as they are now.",
        discussion: """
            For changes in pgarchive.toml, and for those in standby.conf that a reload does not bring into effect. \
            Returns when the standby answers queries again.

            EXAMPLES
              pgarchive standby restart

            SEE ALSO
              standby reload, standby status
            """
    )

    @OptionGroup var stop: StopOptions

    @OptionGroup var wait: WaitOptions

    @OptionGroup var pgCtl: PgCtlOptions

    @OptionGroup var global: GlobalOptions

    func run(in container: Container) throws {
        try pgCtl.refuse(in: container)
        try PartCommands.restart(.standby, mode: stop.mode, wait, in: container, render)
    }
}
