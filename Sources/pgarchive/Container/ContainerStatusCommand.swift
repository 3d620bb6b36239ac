import ArchiveEngine
import ArgumentParser

struct ContainerStatusCommand: ContainerCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Show whether all parts run, and how far WAL has come; exit 1 when one does not.",
        discussion: """
            The parts are the supervisor, wal_archive (the receiver) and the standby; one that stands still says \
            why. Below them stands how far WAL has come: what the upstream has written, as last heard; what is \
            received; what is durable on this disk; what the standby has replayed; and the newest snapshot. BEHIND \
            is the distance to the upstream's end, TIME the newest moment known to be included.

            The upstream is not asked, so this is quick and works while it is away. With --quiet only the exit code \
            speaks.

            The exit code tells whether the parts run, not whether WAL arrives: a receiver that is in the state gap, \
            diverged, retrying or disk full runs, and the exit code is 0. What watches the archive looks at the \
            reasons too, as the second example does: it prints nothing while all is well.

            EXAMPLES
              pgarchive container status
              pgarchive container status --output json | jq -r '.parts[].reason // empty'
              pgarchive container status --quiet || echo 'a part of the archive is down'

            EXIT CODES
              0  all parts run, though one may stand still
              1  a part does not run
              6  no such container

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
