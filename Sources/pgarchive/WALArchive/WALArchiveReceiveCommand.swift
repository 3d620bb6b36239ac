import ArchiveEngine
import ArchiveModel
import ArgumentParser
import PostgresLink
import WALFormat

struct WALArchiveReceiveCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "receive",
        abstract: "Receive WAL in the foreground, into any directory, as pg_receivewal does.",
        discussion: """
            With -D it needs no container, and takes pg_receivewal's options: to try the receiver, to measure it, or \
            to archive WAL alone. It goes on from the WAL that is already in the directory, until it is interrupted \
            or has reached -E. libpq's PG* variables are not used: -d says everything.

            Without -D it is the container's wal_archive process, which the supervisor starts: there is no need to \
            do so by hand.

            EXAMPLES
              pgarchive wal_archive receive -D wal -S wal1 -d 'host=db1 user=repl'

            EXIT CODES
              0  interrupted, or -E is reached
              1  trouble with the disk
              3  login refused (with -n)
              4  WAL of another server, a wrong slot; a gap (with -n)
              7  another receiver uses the directory
              8  connection lost (with -n)
              9  damaged WAL came (with -n)

            SEE ALSO
              wal_archive start
            """
    )

    @Option(
        name: [.customShort("D"), .long],
        help: ArgumentHelp("The directory to receive into; it must exist.", valueName: "dir"),
        completion: .directory
    )
    var directory: String?

    @Option(
        name: [.customShort("S"), .long],
        help: ArgumentHelp(
            "The replication slot, which must exist; without one the upstream may remove WAL before it was received.",
            valueName: "slot"
        )
    )
    var slot: String?

    @Option(
        name: [.customShort("d"), .long],
        help: ArgumentHelp("The connection, of a role that may replicate, as libpq writes it.", valueName: "connstr")
    )
    var dbname: String?

    @Option(
        name: [.customShort("E"), .long],
        help: ArgumentHelp("End once WAL beyond this position is here, such as 16/B374D848.", valueName: "lsn")
    )
    var endpos: String?

    @Option(
        name: [.customShort("s"), .customLong("status-interval")],
        help: ArgumentHelp("Seconds between status reports to the upstream; 0: only when asked.", valueName: "seconds")
    )
    var statusInterval = 10

    @Flag(
        name: [.customShort("n"), .customLong("no-loop")],
        help: "End when the connection is lost, instead of trying again."
    )
    var noLoop = false

    @Flag(help: "Sync and report each piece of WAL at once, for upstreams whose commits wait for it.")
    var synchronous = false

    @Flag(name: .customLong("no-sync"), help: "Never sync: faster, but a power cut may lose what was acknowledged.")
    var noSync = false

    @OptionGroup var global: GlobalOptions

    func validate() throws {
        if directory != nil, global.containerOptions.container != nil {
            throw ValidationError("-D needs no container: leave --container out")
        }
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
        options.statusIntervalSeconds = Double(statusInterval)
        options.loops = !noLoop
        options.isSynchronous = synchronous
        options.syncs = !noSync
        try finish(Receiver.run(options))
    }

    private func finish(_ code: Int32) throws {
        if code != 0 { throw ExitCode(code) }
    }
}
