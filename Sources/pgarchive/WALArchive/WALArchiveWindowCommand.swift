import ArchiveEngine
import ArchiveModel
import ArgumentParser
import Platform
import WALFormat

struct WALArchiveWindowCommand: ContainerCommand {
    static let configuration = CommandConfiguration(
        commandName: "window",
        abstract: "Show what can be recovered now, with every gap.",
        discussion: """
            Computed from the snapshots, the timelines and the segments that are here, never guessed: each position \
            shown can be reached, and each moment too. A gap says what is missing and what ends it. LAST COMMIT is the \
            last one that can be recovered.

            Below stands how far the durable end is behind the upstream: in bytes, and as the moment up to which all \
            that was committed is here.

            'pgarchive window' is the same.

            EXAMPLES
              pgarchive window
              pgarchive window --output json | jq '.timelines[-1].intervals[-1]'

            SEE ALSO
              wal_archive events, wal_archive list, snapshot list
            """
    )

    @OptionGroup var global: GlobalOptions

    func run(in container: Container) throws {
        let now = PostgresTime(unixMicroseconds: SystemClock.now())
        let window = try global.withProgress { progress in
            try ArchiveContents.use(container, for: "window", progress: progress, say: { render.warning($0) }) {
                try WindowReading($0).window(now: now)
            }
        }
        try render.show(window) { WindowText.whole(window, $0) }
    }
}

/// A recovery window for people.
enum WindowText {
    static func whole(_ window: Window, _ palette: Palette) -> String {
        var table = TableText(
            [
                ("TL", .right), ("FROM", .left), ("LSN", .left), ("TO", .left), ("LSN", .left),
                ("LAST COMMIT", .left), ("XID", .right),
            ],
            whenEmpty: "nothing can be recovered yet: there is no snapshot that can be used"
        )
        for timeline in window.timelines {
            for interval in timeline.intervals {
                table.add([
                    .init("\(timeline.timeline)"),
                    .init(interval.from.map(HumanText.instantFullSecond) ?? "-"),
                    .init("\(interval.start)"),
                    .init(interval.to.map(HumanText.instantSeconds) ?? "-"),
                    .init("\(interval.end)"),
                    .init(interval.lastCommit.map { HumanText.instant($0.time) } ?? "-"),
                    .init(interval.lastCommit.map { "\($0.transactionID)" } ?? "-"),
                ])
            }
        }
        let gaps = window.timelines.flatMap { timeline in
            timeline.gaps.map { gap in
                palette.red("gap") + " on timeline \(timeline.timeline), \(gap.start) to \(gap.end) "
                    + "(\(HumanText.bytes(gap.end.bytes(since: gap.start)))): \(gap.cause)\n"
            }
        }
        let doubtful = window.timelines.flatMap { timeline in
            timeline.doubtful.map { part in
                palette.yellow("not promised") + " on timeline \(timeline.timeline), \(part.start) to \(part.end): "
                    + "\(part.cause)\n"
            }
        }
        return table.text(palette) + gaps.joined() + doubtful.joined() + lag(window.lag, palette)
    }

    private static func lag(_ lag: Window.Lag?, _ palette: Palette) -> String {
        guard let lag else { return "the upstream has never been heard\n" }
        let behind =
            lag.bytes == 0
            ? "all that the upstream is known to have written is durable here, up to \(lag.durable)"
            : "durable up to \(lag.durable), \(HumanText.bytes(lag.bytes)) behind the upstream (\(lag.upstream))"
        let time = lag.completeUpTo.map { moment in
            "; complete up to \(HumanText.instant(moment))"
                + (lag.seconds.map { ", \(HumanText.elapsed(seconds: $0)) ago" } ?? "")
        }
        return behind + (time ?? "") + "\n" + (lag.reason.map { palette.yellow("the upstream: \($0)") + "\n" } ?? "")
    }
}
