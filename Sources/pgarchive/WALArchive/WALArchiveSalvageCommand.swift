import ArchiveEngine
import ArchiveModel
import ArgumentParser

struct WALArchiveSalvageCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "salvage",
        abstract: "Show what can still be recovered on each side of holes and damage, and by which commands.",
        discussion: """
            Reads all WAL that the snapshots need, as 'verify --deep' does, and shows each stretch that can be \
            replayed without a break: from which position and commit to which, the snapshots in it, and the \
            commands that make clones of its first and of its last moment. A stretch without a snapshot can be \
            read, but there is nothing to recover by it.

            Nothing is changed. Have a look at 'verify --repair' first: what the upstream still has need not be lost.

            EXAMPLES
              pgarchive wal_archive salvage
              pgarchive wal_archive salvage --output json
              pgarchive wal_archive salvage -D /mnt/old_archive

            EXIT CODES
              0   nothing is broken
              9   the archive could not be read
              10  something is broken

            SEE ALSO
              wal_archive verify, clone create
            """
    )

    @Option(
        name: [.customShort("D"), .long],
        help: ArgumentHelp("Look at this directory of WAL segments instead of a container.", valueName: "dir"),
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
        let salvage = try global.withProgress { try Salvage.run(verification, progress: $0) }
        try global.render.show(salvage) { SalvageView.text(salvage, $0) }
        if !salvage.findings.isEmpty { throw ExitCode(ErrorCode.findings.rawValue) }
    }
}

/// Stretches as they are shown.
enum SalvageView {
    static func text(_ salvage: Salvage, _ palette: Palette) -> String {
        var text = ""
        for stretch in salvage.stretches {
            text += palette.bold("\(stretch.from) to \(stretch.to)") + " on timeline \(stretch.timeline)\n"
            if let first = stretch.firstCommit, let last = stretch.lastCommit {
                text += "  commits:      \(HumanText.instant(first)) to \(HumanText.instant(last))\n"
            }
            text += "  snapshots:    "
            text += stretch.isRecoverable ? stretch.snapshots.map(\.name).joined(separator: ", ") + "\n" : "none\n"
            if let first = stretch.firstMoment { text += "  first moment: \(first)\n" }
            if let last = stretch.lastMoment { text += "  last moment:  \(last)\n" }
            if let end = stretch.endsWith { text += "  ends with:    " + palette.red(end) + "\n" }
            text += "\n"
        }
        let broken = salvage.findings.count
        return text
            + (broken == 0
                ? "nothing is broken\n" : "\(HumanText.count(broken, "finding")): see 'wal_archive verify'\n")
    }
}
