import ArchiveEngine
import ArchiveModel
import ArgumentParser
import WALFormat

struct WALArchiveInspectCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "inspect",
        abstract: "Show what is in archived WAL: records, commits, or what kinds of records it has.",
        discussion: """
            Looks into segments in whatever form they are stored, and checks them on the way. WHAT is a segment's \
            name, or two positions: 0/3000028..0/3A1B2C8, where the second may be missing. Of a damaged segment it \
            shows what is before the damage, then says where that is.

            --stats, which is the default, counts the records of whole segments, on all processors. --records has a \
            line for each, much as pg_waldump prints it; --commits has only the ends of transactions, in the order \
            in which they happened.

            With -D it looks into any directory of segments, without a container.

            EXAMPLES
              pgarchive wal_archive inspect 000000010000000000000042
              pgarchive wal_archive inspect 0/42000000..0/42A00000 --commits
              pgarchive wal_archive inspect -D /mnt/wal 000000010000000000000042

            EXIT CODES
              0  all of it was shown
              6  there is no such segment
              9  damaged, or missing, from some place on

            SEE ALSO
              wal_archive list, wal_archive verify
            """
    )

    @Argument(help: ArgumentHelp("A segment's name, or LSN..LSN.", valueName: "what"))
    var what: String

    @Flag(help: "A line for each record.")
    var records = false

    @Flag(help: "A line for each commit and abort.")
    var commits = false

    @Flag(help: "How many records of each kind there are, and how long they are. This is the default.")
    var stats = false

    @Option(help: ArgumentHelp("The timeline of LSN..LSN. (default: the newest)", valueName: "number"))
    var timeline: UInt32?

    @Option(
        name: [.customShort("D"), .long],
        help: ArgumentHelp("Look into this directory of WAL segments instead of a container.", valueName: "dir"),
        completion: .directory
    )
    var directory: String?

    @OptionGroup var global: GlobalOptions

    func validate() throws {
        if directory != nil, global.containerOptions.container != nil {
            throw ValidationError("-D needs no container: leave --container out")
        }
        if [records, commits, stats].count(where: \.self) > 1 {
            throw ValidationError("--records, --commits and --stats exclude each other")
        }
        guard let words = InspectionRange.Words(what) else {
            throw ValidationError(
                "'\(what)' is neither a segment, such as 000000010000000000000042, nor LSN..LSN, such as "
                    + "0/42000000..0/42A00000"
            )
        }
        if case .segment = words, timeline != nil { throw ValidationError("a segment's name has its timeline") }
        if timeline == 0 { throw ValidationError("timelines are numbered from 1") }
    }

    func run() throws {
        let inspection = try inspection()
        if records { return try show(inspection.records, InspectionText.recordHeader, InspectionText.line) }
        if commits { return try show(inspection.ends, InspectionText.endHeader, InspectionText.line) }
        let statistics = try inspection.statistics()
        let view = InspectionStatistics(statistics)
        try global.render.show(view, as: view.text)
        if let trouble = statistics.trouble { throw trouble }
    }

    private func inspection() throws -> Inspection {
        guard let words = InspectionRange.Words(what) else { throw ValidationError("'\(what)' is not a segment") }
        let timeline = timeline.map { TimelineID($0) }
        if let directory { return try Inspection(directory: directory, words, timeline: timeline) }
        let container = try global.locator.open(global.selector)
        try Privileges.becomeOwner(of: container)
        return try Inspection(container, words, timeline: timeline)
    }

    /// Shows one after the other as they are found, since there may be millions, and what came before a fault.
    private func show<Item: Encodable>(
        _ visit: ((Item) throws -> Bool) throws -> Void,
        _ header: String,
        _ line: @escaping (Item, Palette) -> String
    ) throws {
        var output = LongOutput(global.render, header: header)
        do {
            try visit { item in
                try output.write(item) { line(item, global.render.palette) }
                return !StandardOutput.isClosed
            }
        } catch {
            try output.end()
            throw error
        }
        try output.end()
    }
}
