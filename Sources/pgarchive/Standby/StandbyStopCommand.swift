import ArchiveEngine
import ArgumentParser

struct StandbyStopCommand: ContainerCommand {
    static let configuration = CommandConfiguration(
        commandName: "stop",
        abstract: "Stop the standby.",
        discussion: """
            It stays stopped until it is started again. WAL is received all the same, and replayed later; no \
            snapshot can be taken meanwhile, but by force. While it waits for clients (smart), another stop with \
            -m fast sends them away.

            EXAMPLES
              pgarchive standby stop
              pgarchive standby stop -m smart -t 60 || pgarchive standby stop -m fast

            SEE ALSO
              standby start, container stop
            """
    )

    @OptionGroup var stop: StopOptions

    @OptionGroup var wait: WaitOptions

    @OptionGroup var pgCtl: PgCtlOptions

    @OptionGroup var global: GlobalOptions

    func run(in container: Container) throws {
        try pgCtl.refuse(in: container)
        try PartCommands.stop(.standby, mode: stop.mode, wait, in: container, render)
    }
}
