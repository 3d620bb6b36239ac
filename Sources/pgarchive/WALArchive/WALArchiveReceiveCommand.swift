import ArchiveEngine
import ArchiveModel
import ArgumentParser
import Platform
import PostgresLink
import WALFormat

struct WALArchiveReceiveCommand: ParsableCommand, TakesLibpqEnvironment {
    static let configuration = CommandConfiguration(
        commandName: "receive",
        abstract: "Receive WAL in the foreground, into any directory, as pg_receivewal does.",
        discussion: """
            With -D it needs no container, and takes pg_receivewal's options, environment and signals: it goes on from \
            the WAL that is already in the directory, whoever received it, until SIGINT or SIGTERM, or until it has \
            reached -E. A link named pg_receivewal to this program is called as that one.

            Without -D it is the container's wal_archive process, which the supervisor starts: there is no need to \
            do so by hand.

            EXAMPLES
              pgarchive wal_archive receive -S wal1 -d 'host=db1' --create-slot
              pgarchive wal_archive receive -D wal -S wal1 -h db1 -U repl -v
              pgarchive wal_archive receive -D wal -S wal1 -d 'host=db1' -Z gzip:6

            ENVIRONMENT
              PGHOST, PGPORT, PGUSER, PGPASSFILE, PGSERVICE and libpq's others, with -D

            EXIT CODES
              0  interrupted, -E is reached, or the slot is created or dropped
              1  anything else; without -n what may pass is tried again

            SEE ALSO
              wal_archive start
            """,
        helpNames: [.long, .customShort("?")]
    )

    @Option(
        name: [.customShort("D", allowingJoined: true), .long],
        help: ArgumentHelp("The directory to receive into; it must exist.", valueName: "dir"),
        completion: .directory
    )
    var directory: String?

    @OptionGroup(title: "CONNECTION") var connection: ReceiveConnection

    @Option(
        name: [.customShort("S", allowingJoined: true), .long],
        help: ArgumentHelp(
            "The replication slot; without one the upstream may remove WAL before it was received.",
            valueName: "slot"
        )
    )
    var slot: String?

    @Flag(name: .customLong("create-slot"), help: "Only create the slot; it keeps WAL from then on.")
    var createSlot = false

    @Flag(name: .customLong("drop-slot"), help: "Only drop the slot.")
    var dropSlot = false

    @Flag(name: .customLong("if-not-exists"), help: "With --create-slot: a slot that is there already is no error.")
    var ifNotExists = false

    @Option(
        name: [.customShort("E", allowingJoined: true), .long],
        help: ArgumentHelp("End once WAL up to this position is here, such as 16/B374D848.", valueName: "lsn")
    )
    var endpos: String?

    @Option(
        name: [.customShort("s", allowingJoined: true), .customLong("status-interval")],
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

    @Option(
        name: [.customShort("Z", allowingJoined: true), .long],
        help: ArgumentHelp(
            "How complete segments are compressed: gzip, lz4, zstd or none, with :LEVEL; a number is gzip's level.",
            valueName: "method"
        )
    )
    var compress: String?

    @Flag(name: [.customShort("V")], help: "Print the version.")
    var printsVersion = false

    @Flag(help: .hidden) var asPgReceivewal = false

    @OptionGroup var global: GlobalOptions

    /// What needs no container.
    private var isOnItsOwn: Bool { directory != nil || createSlot || dropSlot || asPgReceivewal || printsVersion }

    var takesLibpqEnvironment: Bool { isOnItsOwn }

    func validate() throws {
        if printsVersion { return }
        guard isOnItsOwn else {
            if slot != nil || connection.isGiven || endpos != nil || synchronous || noSync || compress != nil {
                throw ValidationError("no target directory specified: -D goes with these options")
            }
            return
        }
        if global.containerOptions.container != nil {
            throw ValidationError("-D needs no container: leave --container out")
        }
        if createSlot && dropSlot { throw ValidationError("--create-slot and --drop-slot exclude each other") }
        if createSlot || dropSlot {
            if slot == nil { throw ValidationError("--create-slot and --drop-slot need --slot") }
        } else if directory == nil {
            throw ValidationError("no target directory specified: -D is needed")
        }
        if synchronous && noSync { throw ValidationError("--synchronous and --no-sync exclude each other") }
        if !(0...Int(Int32.max / 1000)).contains(statusInterval) {
            throw ValidationError("-s is 0 to \(Int32.max / 1000) seconds")
        }
        if let endpos, LSN(endpos) == nil {
            throw ValidationError("'\(endpos)' is not a WAL position; one looks like 16/B374D848")
        }
        if let slot, SlotName(slot) == nil {
            throw ValidationError("'\(slot)' is not a slot's name: a-z, 0-9 and '_', at most 63")
        }
        do throws(ReceiveCompression.Complaint) {
            _ = try compression
        } catch {
            throw ValidationError(error.text)
        }
    }

    private var compression: ReceiveCompression? {
        get throws(ReceiveCompression.Complaint) {
            guard let compress else { return nil }
            return try ReceiveCompression(compress)
        }
    }

    func run() throws {
        if printsVersion { return try StandardOutput.write(PgReceivewal.version + "\n") }
        guard isOnItsOwn else {
            let container = try global.locator.open(global.selector)
            try Privileges.becomeOwner(of: container)
            return try finish(ContainerReceiver.run(container))
        }
        let target = try connection.resolved(applicationName: programName)
        if let slot = slot.flatMap({ SlotName($0) }), createSlot || dropSlot { return try change(slot, target) }
        guard let directory else { return }
        guard FileTree.isDirectory(directory) else {
            throw ArchiveError(
                .failed,
                "there is no directory '\(directory)'",
                hint: "make it, empty, for the first time"
            )
        }
        var options = ReceiverOptions(connection: target.text, directory: directory)
        options.slot = slot.flatMap { SlotName($0) }
        options.applicationName = programName
        options.endPosition = endpos.flatMap { LSN($0) }
        options.statusIntervalSeconds = Double(statusInterval)
        options.loops = !noLoop
        options.isSynchronous = synchronous
        options.syncs = !noSync
        options.isShared = true
        options.compression = try compression?.codec
        options.messages = ReceiverLog.Messages(
            program: asPgReceivewal ? programName : nil,
            isVerbose: global.verbose
        )
        try finish(Receiver.run(options) == 0 ? 0 : 1)
    }

    private var programName: String { asPgReceivewal ? PgReceivewal.name : "pgarchive" }

    /// The whole work of --create-slot and --drop-slot.
    private func change(_ slot: SlotName, _ target: ConnectionString) throws {
        do throws(LinkError) {
            let connection = try SQLConnection(target.forReplication, applicationName: programName)
            defer { connection.close() }
            if createSlot {
                try ReplicationSlot.create(connection, slot)
            } else if try !ReplicationSlot.drop(connection, slot) {
                throw LinkError(
                    .server,
                    "replication slot \"\(slot)\" does not exist",
                    sqlState: SQLState.undefinedObject
                )
            }
        } catch {
            if createSlot, ifNotExists, error.sqlState == SQLState.duplicateObject { return }
            throw ArchiveError(.failed, "\(error)", hint: error.hint)
        }
    }

    private func finish(_ code: Int32) throws {
        if code != 0 { throw ExitCode(code) }
    }
}
