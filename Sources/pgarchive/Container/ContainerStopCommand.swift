import ArchiveEngine
import ArchiveModel
import ArgumentParser

struct ContainerStopCommand: ContainerCommand {
    static let configuration = CommandConfiguration(
        commandName: "stop",
        abstract: "Stop backup system.",
        discussion: """
            Stops the standby, the wal_archive process and the supervisor; they stay stopped until they are started \
            again. Clones go on running. Meanwhile the upstream keeps all WAL for the replication slot: watch its \
            disk space.

            SEE ALSO
              clone stop, container start
            """
    )

    @OptionGroup var stop: StopOptions

    @OptionGroup var global: GlobalOptions

    func run(in container: Container) throws {
        let reply = try PartControl(container).shutdown(mode: stop.mode.rawValue)
        try PartCommands.show(reply, Part.allCases, render)
    }
}
