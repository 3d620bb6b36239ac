import ArchiveEngine
import ArgumentParser

struct WALArchiveStartCommand: ContainerCommand {
    static let configuration = CommandConfiguration(
        commandName: "start",
        abstract: "Start the wal_archive process, which receives WAL.",
        discussion: """
            The container's supervisor keeps it running, and is started too if there is none; the standby is left as \
            it is. Returns when it has tried to connect, and says whether the upstream has answered; while it has not, \
            it goes on being tried, and the exit code is 0 all the same.

            With wal.ingest = "push" there is nothing to start: the upstream's archive_command brings the WAL, and \
            this is refused with the command to set there.

            EXAMPLES
              pgarchive wal_archive start

            EXIT CODES
              4  WAL is pushed, not received

            SEE ALSO
              wal_archive status, wal_archive log, container start
            """
    )

    @OptionGroup var wait: WaitOptions

    @OptionGroup var global: GlobalOptions

    func run(in container: Container) throws {
        try PushedWAL.requireReceiver(container)
        try PartCommands.start(.walArchive, wait, in: container, render)
    }
}
