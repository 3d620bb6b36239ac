import ArchiveModel
import ArgumentParser
import Glibc

@main
struct PgArchive: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pgarchive",
        abstract: "A PostgreSQL archive server: continuous WAL, snapshots, and clones of any moment.",
        discussion: """
            A container is the archive of one PostgreSQL server, the upstream. It is a directory with the upstream's \
            WAL, received continuously through a replication slot; a standby which replays that WAL; read-only \
            snapshots of the standby; and clones: servers of their own, made from a snapshot and recovered to a \
            moment of your choice. 'pgarchive status' and 'pgarchive dashboard' show how a container is doing.

            EXAMPLES
              pgarchive container init --container prod --upstream 'host=db1 user=postgres'
              pgarchive container status
              pgarchive snapshot create
              pgarchive window
              pgarchive find --dropped orders
              pgarchive undo --drop orders --into upstream
              pgarchive dump --before-drop orders -t orders | psql -h db1 shop
              pgarchive psql --at '10 minutes ago' shop
              pgarchive clone create early --at '2026-11-21 08:50' --start
              pgarchive clone psql early
              pgarchive wal_archive verify --deep
              pgarchive restore --to /srv/restored --latest

            CHOOSING A CONTAINER
              --container NAME  a name below $PGARCHIVE_HOME (default: /var/lib/pgarchive)
              --container DIR   a directory anywhere, written with a slash
              PGARCHIVE=DIR     the same in the environment
              With only one container there, none need be named.

            ENVIRONMENT
              UPSTREAM, UPSTREAM_REPL, SLOT  for 'container init' and 'container purge'
              EXPIRE_DATE                    for expiry, instead of keep.expire_date
              PGARCHIVE_POSTGRES_15          the programs of PostgreSQL 15 (or 16 to 18)
              TZ, PAGER, NO_COLOR            as everywhere

            libpq's PG* variables of the shell are not used, but by \
            'wal_archive receive -D'. The settings of a container are in its pgarchive.toml.

            EXIT CODES
              0 done                              6 no such container, snapshot or clone
              1 failed                            7 exists already, in use, or locked
              2 wrong command line or setting     8 the upstream cannot be reached
              3 the upstream refused the login    9 verification failed
              4 refused, nothing was changed     10 done, with findings
              5 interrupted, and cleaned up
              'status' exits 0 when all is running and 1 when not; 'psql' as psql does.
            """,
        version: "pgarchive \(ProgramVersion.text)",
        subcommands: [
            ContainerNounCommand.self, WALArchiveCommand.self, StandbyCommand.self, SnapshotCommand.self,
            CloneCommand.self, WindowCommand.self, FindCommand.self, UndoCommand.self, PsqlCommand.self,
            DumpCommand.self, DiffCommand.self, RestoreCommand.self, CronCommand.self, BashCompletionCommand.self,
            ZshCompletionCommand.self,
        ]
    )

    static func main() {
        let arguments = Array(CommandLine.arguments.dropFirst())
        let isPgReceivewal = CommandLine.arguments.first.map(PgReceivewal.isMeant) ?? false
        Glibc.exit(isPgReceivewal ? PgReceivewal.run(arguments) : Session.run(arguments))
    }
}
