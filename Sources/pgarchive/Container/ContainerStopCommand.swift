import ArchiveEngine
import ArchiveModel
import ArgumentParser

struct ContainerStopCommand: ContainerCommand {
    static let configuration = CommandConfiguration(
        commandName: "stop",
        abstract: "Stop the wal_archive and standby processes and their supervisor.",
        discussion: """
            They stay stopped until they are started again. Clones go on running. Meanwhile the upstream keeps all \
            WAL for the replication slot: watch its disk space. Where its commits wait for the archive \
            (wal.synchronous), they do not return meanwhile; what frees them is printed.

            Under systemd use 'systemctl stop pgarchive@NAME' instead: the unit starts them again at the next boot, \
            and also when its supervisor died within the two seconds before.

            EXAMPLES
              pgarchive container stop

            SEE ALSO
              container start, clone stop, container purge
            """
    )

    @OptionGroup var stop: StopOptions

    @OptionGroup var wait: WaitOptions

    @OptionGroup var global: GlobalOptions

    func run(in container: Container) throws {
        WaitingCommits.warn(of: container, render)
        let reply = try PartControl(container).shutdown(mode: stop.mode.rawValue, wait.patience(render))
        try PartCommands.show(reply, Part.allCases, wait, render)
    }
}
