import ArchiveEngine
import ArchiveModel
import ArgumentParser
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

            With -D it looks at any directory of segments, without a container. The cluster is then the one that \
            most of them are of, and everything from the oldest segment on should be there.

            EXAMPLES
              pgarchive wal_archive verify
              pgarchive wal_archive verify --deep --output json
              pgarchive wal_archive verify --deep -D /mnt/old_archive

            EXIT CODES
              0   nothing is wrong
              9   the archive could not be verified
              10  there are findings

            SEE ALSO
              wal_archive list, snapshot list
            """
    )

    @Flag(help: "Read all of it: each page, each record's checksum.")
    var deep = false

    @Option(
        name: [.customShort("D"), .long],
        help: ArgumentHelp("Verify this directory of WAL segments instead of a container.", valueName: "dir"),
        completion: .directory
    )
    var directory: String?

    @OptionGroup var global: GlobalOptions

    func validate() throws {
        if directory != nil, global.containerOptions.container != nil {
            throw ValidationError("-D needs no container: leave --container out")
        }
    }

    func run() throws {
        let verification = try WALArchivePlace(directory, global).verification()
        let report = try global.withProgress { try verification.run(deep: deep, progress: $0) }
        let view = VerifyView(report)
        try global.render.show(report) { global.quiet ? view.brief($0) : view.text($0) }
        if !report.findings.isEmpty { throw ExitCode(ErrorCode.findings.rawValue) }
    }
}

/// A container's archive, or any directory of segments.
struct WALArchivePlace {
    let directory: String?
    let global: GlobalOptions

    init(_ directory: String?, _ global: GlobalOptions) {
        self.directory = directory
        self.global = global
    }

    func verification() throws -> Verification {
        if let directory { return try Verification(directory: directory) }
        let container = try global.locator.open(global.selector)
        try Privileges.becomeOwner(of: container)
        return Verification(container)
    }
}
