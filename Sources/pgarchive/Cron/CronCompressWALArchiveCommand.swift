import ArchiveEngine
import ArchiveModel
import ArgumentParser

struct CronCompressWALArchiveCommand: ContainerCommand {
    static let configuration = CommandConfiguration(
        commandName: "compress-wal-archive",
        abstract: "Compress the WAL that the standby has replayed.",
        discussion: """
            With zstd, n segments at a time. Each is read back and compared with the original before it takes its \
            place, and all that reads WAL reads both forms. While one job runs, a second does nothing. Logged in \
            log/cron_wal_archive.log.

            EXAMPLES
              pgarchive cron compress-wal-archive 2

            SEE ALSO
              wal_archive list, container init-cron
            """
    )

    @Argument(help: ArgumentHelp("How many segments to compress at a time, 1 to 256.", valueName: "n"))
    var count = 1

    @OptionGroup var global: GlobalOptions

    func validate() throws {
        guard (1...256).contains(count) else { throw ValidationError("'\(count)' is not a number from 1 to 256") }
    }

    func run(in container: Container) throws {
        let log = try CronLog(container, job: "wal_archive", global: global)
        let outcome = try log.job("compress-wal-archive") {
            let outcome = try SegmentCompression(container).run(processes: count)
            try log.line(Self.sentence(outcome))
            if let first = outcome.failures.first {
                throw ArchiveError(
                    .failed,
                    "\(HumanText.count(outcome.failures.count, "segment")) could not be compressed: \(first)",
                    hint: "the originals are kept; see \(log.path)",
                    details: Array(outcome.failures.dropFirst().prefix(10))
                )
            }
            return outcome
        }
        if render.format == .json { try render.done(outcome, "") }
    }

    private static func sentence(_ outcome: SegmentCompression.Outcome) -> String {
        if let process = outcome.runsAlready { return "runs already, process \(process); nothing was done" }
        return "compressed \(HumanText.count(outcome.segments, "segment"))"
            + (outcome.segments > 0
                ? ", \(HumanText.bytes(outcome.bytesBefore)) to \(HumanText.bytes(outcome.bytesAfter))" : "")
    }
}
