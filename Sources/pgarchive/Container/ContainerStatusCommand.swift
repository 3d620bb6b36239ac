import ArchiveEngine
import ArgumentParser

struct ContainerStatusCommand: ContainerCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Show status of subsystems, exit 1 if any is not running.",
        discussion: """
            Also shows how far WAL has come: what the upstream has written, what is received and durable here, what \
            the standby has replayed, and the newest snapshot, with how far each is behind. What stands still says \
            why. The upstream is not asked, so this is quick and works when it is away.

            EXAMPLE
              pgarchive container status || mail -s 'archive is down' root </dev/null
              pgarchive container status --output json

            SEE ALSO
              container dashboard, wal_archive status, standby status
            """
    )

    @OptionGroup var global: GlobalOptions

    func run(in container: Container) throws {
        let report = try StatusReport.gather(container)
        if !(render.isQuiet && render.format == .table) {
            try render.show(report) { StatusText.whole(report, $0) }
        }
        if !report.isRunning { throw ExitCode(1) }
    }
}
