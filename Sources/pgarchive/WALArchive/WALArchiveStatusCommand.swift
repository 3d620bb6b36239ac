import ArchiveEngine
import ArgumentParser

struct WALArchiveStatusCommand: ContainerCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Show whether WAL is received, and how far it is; exit 1 when the process does not run.",
        discussion: """
            Shows what the process does, how far WAL has been received and is durable, and why it stands still if it \
            does.

            STATES
              connecting, catching up, streaming  all is well
              retrying   the connection was lost or refused: it is tried again and again
              disk full  no room to write: it goes on by itself when there is some
              gap        the upstream no longer has the WAL that comes next
              diverged   the upstream's history and the archive's have parted
              With the last two nothing more can be received: make a new container.

            EXAMPLES
              pgarchive wal_archive status

            EXIT CODES
              0  it runs, even while it cannot reach the upstream
              1  it does not run

            SEE ALSO
              container status, wal_archive log
            """
    )

    @OptionGroup var global: GlobalOptions

    func run(in container: Container) throws {
        try PartCommands.status(.walArchive, stations: ["upstream", "received", "durable"], in: container, render)
    }
}
