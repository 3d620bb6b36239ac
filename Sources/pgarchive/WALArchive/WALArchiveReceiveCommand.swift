import ArchiveEngine
import ArchiveModel
import ArgumentParser
import PostgresLink
import WALFormat

struct WALArchiveReceiveCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "receive",
        abstract: "Receive WAL in the foreground: for the container, or into any directory as pg_receivewal does.",
        discussion: """
            Without -D this is the container's wal_archive process itself, which the supervisor runs; there is no \
            need to start it by hand. With -D it needs no container: it receives into that directory, with \
            pg_receivewal's options, until it is interrupted or has reached -E. WAL already there is gone on from. \
            Libpq's PG* variables are not used: -d says everything.

            EXAMPLE
              pgarchive wal_archive receive -D /srv/wal -S standby1 -d 'host=db1 user=replication'

            SEE ALSO
              wal_archive start
            """
    )

    @Option(
        name: [.customShort("D"), .long],
        help: ArgumentHelp("Receive into this directory, without a container.", valueName: "dir"),
        completion: .directory
    )
    var directory: String?

    @Option(name: [.customShort("S"), .long], help: "The replication slot to use; it must exist.")
    var slot: String?

    @Option(
        name: [.customShort("d"), .long],
        help: ArgumentHelp("The connection string of a role with REPLICATION.", valueName: "connstr")
    )
    var dbname: String?

    @Option(
        name: [.customShort("E"), .long],
        help: ArgumentHelp("Exit when this position is reached.", valueName: "lsn")
    )
    var endpos: String?

    @Option(
        name: [.customShort("s"), .customLong("status-interval")],
        help: ArgumentHelp("Time between status reports to the server.", valueName: "seconds")
    )
    var statusInterval: Double = 10

    @Flag(name: [.customShort("n"), .customLong("no-loop")], help: "Do not try again when the connection is lost.")
    var noLoop = false

    @Flag(help: "Make WAL durable, and say so, as soon as it has been written.")
    var synchronous = false

    @Flag(name: .customLong("no-sync"), help: "Do not wait for the disk: a power cut may lose what was received.")
    var noSync = false

    @OptionGroup var global: GlobalOptions

    func validate() throws {
        guard directory != nil else {
            if slot != nil || dbname != nil || endpos != nil || synchronous || noSync {
                throw ValidationError("-S, -d, -E, --synchronous and --no-sync go with -D")
            }
            return
        }
        if dbname == nil { throw ValidationError("-D needs -d, the connection to receive from") }
        if synchronous && noSync { throw ValidationError("--synchronous and --no-sync exclude each other") }
        if !(0...86_400).contains(statusInterval) { throw ValidationError("-s is 0 to 86400 seconds") }
        if let endpos, LSN(endpos) == nil {
            throw ValidationError("'\(endpos)' is not a WAL position; one looks like 16/B374D848")
        }
        if let slot, SlotName(slot) == nil {
            throw ValidationError("'\(slot)' is not a slot's name: a-z, 0-9 and '_', at most 63")
        }
    }

    func run() throws {
        guard let directory, let dbname else {
            let container = try global.locator.open(global.selector)
            try Privileges.becomeOwner(of: container)
            return try finish(ContainerReceiver.run(container))
        }
        var options = ReceiverOptions(connection: dbname, directory: directory)
        options.slot = slot.flatMap { SlotName($0) }
        options.endPosition = endpos.flatMap { LSN($0) }
        options.statusIntervalSeconds = statusInterval
        options.loops = !noLoop
        options.isSynchronous = synchronous
        options.syncs = !noSync
        try finish(Receiver.run(options))
    }

    private func finish(_ code: Int32) throws {
        if code != 0 { throw ExitCode(code) }
    }
}
