import ArchiveEngine
import ArgumentParser
import WALFormat
import WALStore

struct WALArchiveListCommand: ContainerCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "List the segments of the WAL archive, with their sizes and the total.",
        discussion: """
            In the order of WAL. START is the segment's first position, FORM says whether it is complete, compressed \
            (.zst, .gz, .lz4), or partial: being received. Then follow the timelines' history files, what does \
            not belong there, and the total.

            EXAMPLES
              pgarchive wal_archive list | tail
              pgarchive wal_archive list --output json

            SEE ALSO
              cron compress-wal-archive, snapshot expire
            """
    )

    @OptionGroup var global: GlobalOptions

    func run(in container: Container) throws {
        let view = WALListing(try container.walDirectory.list(), size: container.segmentSize)
        if render.isQuiet, render.format == .table {
            try render.list(view.segments, name: \.file) { _ in "" }
            return
        }
        try render.show(view, as: view.text)
    }
}

/// The archive's content as it is shown.
struct WALListing: Encodable {
    struct Segment: Encodable {
        let file: String
        let timeline: TimelineID
        let start: LSN?
        let form: String
        let bytes: UInt64
    }

    let segments: [Segment]
    let histories: [String]
    let foreign: [String]
    let totalBytes: UInt64

    init(_ listing: ArchiveListing, size: SegmentSize) {
        segments = listing.segments.map { stored in
            Segment(
                file: stored.fileName,
                timeline: stored.name.timeline,
                start: stored.name.start(size: size),
                form: Self.word(stored.form),
                bytes: stored.bytes
            )
        }
        histories = listing.histories.map(\.historyFileName)
        foreign = listing.foreign
        totalBytes = listing.totalBytes
    }

    private static func word(_ form: StoredSegment.Form) -> String {
        if !form.isComplete { return "partial" }
        return form.isCompressed ? "compressed" : "complete"
    }

    func text(_ palette: Palette) -> String {
        var table = TableText(
            [("SEGMENT", .left), ("TL", .right), ("START", .left), ("FORM", .left), ("SIZE", .right)],
            whenEmpty: "no WAL yet"
        )
        for segment in segments {
            table.add([
                .init(segment.file),
                .init("\(segment.timeline)"),
                .init(segment.start.map { "\($0)" } ?? "-"),
                .init(segment.form, segment.form == "partial" ? .warning : .plain),
                .init(HumanText.bytes(segment.bytes)),
            ])
        }
        for history in histories { table.add([.init(history), "", "", "history", ""]) }
        for name in foreign { table.add([.init(name, .warning), "", "", .init("not WAL", .warning), ""]) }
        return table.text(palette)
            + "total: \(HumanText.count(segments.count, "segment")), \(HumanText.bytes(totalBytes))\n"
    }
}
