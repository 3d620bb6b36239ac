import ArchiveEngine
import ArchiveModel
import ArgumentParser
import PostgresLink
import WALFormat

struct WALArchiveVerifyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Check that the chain of WAL has no hole, and say what one costs; exit 10 with findings.",
        discussion: """
            Looks for every segment from the oldest snapshot's redo position to the end, on each timeline that a \
            snapshot or the standby can use: whether it is there, under the right name, of the right size, of this \
            cluster and timeline; and whether histories and the snapshots' records fit. With --deep all of it is \
            read: each page and the checksum of each record, across the segments' borders.

            A finding names the file, the WAL that is lost, the snapshots and the moments that this costs, and what \
            to do. Receiving, compression and expiry may go on meanwhile.

            With --repair the segments are fetched again from the upstream, by a connection of its own that does \
            not touch the slot, or else by wal.restore_program, and checked; then they take the place of the bad \
            files, which are kept in wal_archive/quarantine. With --dry-run it only says what it would do.

            With -D it looks at any directory of segments, without a container. The cluster is then the one that \
            most of them are of, and everything from the oldest segment on should be there.

            EXAMPLES
              pgarchive wal_archive verify
              pgarchive wal_archive verify --deep --output json
              pgarchive wal_archive verify --deep --repair --dry-run
              pgarchive wal_archive verify --deep -D /mnt/old_archive

            EXIT CODES
              0   nothing is wrong, or all of it was repaired
              9   the archive could not be verified
              10  there are findings

            SEE ALSO
              wal_archive salvage, wal_archive list, snapshot list
            """
    )

    @Flag(help: "Read all of it: each page, each record's checksum.")
    var deep = false

    @Flag(help: "Replace what is bad or missing by what the upstream or a copy still has.")
    var repair = false

    @Flag(name: .customLong("dry-run"), help: "With --repair: only say what would be done.")
    var dryRun = false

    @Option(
        name: [.customShort("D"), .long],
        help: ArgumentHelp("Verify this directory of WAL segments instead of a container.", valueName: "dir"),
        completion: .directory
    )
    var directory: String?

    @Option(
        name: [.customShort("d"), .long],
        help: ArgumentHelp("With -D and --repair: the replication connection to fetch from.", valueName: "connstr")
    )
    var dbname: String?

    @OptionGroup var global: GlobalOptions

    func validate() throws {
        if directory != nil, global.containerOptions.container != nil {
            throw ValidationError("-D needs no container: leave --container out")
        }
        if dryRun, !repair { throw ValidationError("--dry-run goes with --repair") }
        if dbname != nil, directory == nil || !repair { throw ValidationError("-d goes with -D and --repair") }
        if directory != nil, repair, dbname == nil {
            throw ValidationError("with -D, --repair needs -d, the connection to fetch from")
        }
    }

    func run() throws {
        let place = try WALArchivePlace(directory, global)
        guard repair else {
            let verification = try place.verification()
            let report = try global.withProgress { try verification.run(deep: deep, progress: $0) }
            let view = VerifyView(report)
            try global.render.show(report) { global.quiet ? view.brief($0) : view.text($0) }
            return try end(report)
        }
        let repair = Repair(try place.verification(), connection: try place.upstream(dbname))
        if dryRun {
            let (plan, report) = try global.withProgress { try repair.plan(deep: deep, progress: $0) }
            try global.render.show(plan) { VerifyView(report).text($0) + RepairView.text(plan) }
            return try end(report)
        }
        let (plan, outcome) = try global.withProgress { try repair.run(deep: deep, progress: $0) }
        try global.render.show(outcome) { RepairView.text(plan, outcome, $0) + VerifyView(outcome.after).text($0) }
        try end(outcome.after)
    }

    private func end(_ report: VerifyReport) throws {
        if !report.findings.isEmpty { throw ExitCode(ErrorCode.findings.rawValue) }
    }
}

/// A container's archive, or any directory of segments.
struct WALArchivePlace {
    private let directory: String?
    private let container: Container?

    init(_ directory: String?, _ global: GlobalOptions) throws {
        self.directory = directory
        guard directory == nil else {
            container = nil
            return
        }
        let container = try global.locator.open(global.selector)
        try Privileges.becomeOwner(of: container)
        self.container = container
    }

    func verification() throws -> Verification {
        if let container { return Verification(container) }
        return try Verification(directory: directory ?? ".")
    }

    func upstream(_ given: String?) throws -> ConnectionString {
        try ConnectionString(given ?? container?.upstreamReplication ?? "")
    }
}
