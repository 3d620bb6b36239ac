import ArchiveModel
import ArgumentParser
import Glibc

@main
struct PgArchive: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pgarchive",
        abstract: "A PostgreSQL archive server: continuous WAL, snapshots, and clones of any moment.",
        discussion: """
            A container holds all that belongs to the archive of one PostgreSQL cluster, the upstream: \
            its WAL, received continuously through a replication slot; a warm standby which replays it; \
            read-only snapshots of the standby; and clones, writable copies of a snapshot which recover to \
            a moment of your choice and run as PostgreSQL servers of their own.

            EXAMPLE
              pgarchive container init --container prod --upstream 'host=db1 user=postgres'
              pgarchive snapshot create
              pgarchive clone create look --at '10 minutes ago' --start
              pgarchive clone psql look

            CHOOSING A CONTAINER
              --container NAME or DIR, or PGARCHIVE=<dir> in the environment; with only one container \
            none need be named. Containers lie in $PGARCHIVE_HOME (default /var/lib/pgarchive).

            EXIT CODES
              0 done, 1 failed, 2 usage, 3 authentication, 4 refused, 5 interrupted, 6 not found, \
            7 conflict, 8 upstream unreachable, 9 verification failed, 10 findings. \
            'status' exits 0 or 1.
            """,
        version: "pgarchive \(ProgramVersion.text)",
        subcommands: [
            ContainerNounCommand.self, WALArchiveCommand.self, StandbyCommand.self, SnapshotCommand.self,
            CloneCommand.self, CronCommand.self, BashCompletionCommand.self,
        ]
    )

    static func main() {
        Glibc.exit(Session.run(Array(CommandLine.arguments.dropFirst())))
    }
}
