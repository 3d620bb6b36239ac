import ArchiveModel
import Platform
import WALFormat
import WALStore

/// The WAL that a recovering server gets: along which timelines, and up to where.
struct RecoveryWAL: Sendable {
    let container: Container
    let path: TimelinePath
    /// Where its recovery must end.
    let stop: LSN
    /// Made by fetch when the server asks for WAL beyond its stop.
    let endFile: String
    /// All of it has just been read.
    var isChecked = false
    /// The server goes on beside the archive's own: it must not take a timeline that the archive has.
    var takesNewTimeline = false

    /// With what a server recovers, beside the command.
    var settings: [(name: String, value: String)] {
        [
            ("hot_standby", "on"),
            ("recovery_target_timeline", String(path.target.rawValue)),
            ("recovery_prefetch", "off"),
            ("wal_retrieve_retry_interval", "20ms"),
            // What it recycles would bear the names of segments that are prepared for it.
            ("wal_recycle", "off"),
        ]
    }

    /// The server's restore_command.
    func command() throws -> String {
        var words = ["--path", path.description, "--until", stop.description, "--end-file", endFile, "--ahead"]
        if isChecked { words.append("--checked") }
        if takesNewTimeline { words.append("--new-timeline") }
        return try container.restoreCommand(words)
    }

    /// Prepares it beside the server, from the redo point on, while `body` waits for the recovery.
    func prepared<Result>(from redo: LSN, in writeAheadLog: String, _ body: () throws -> Result) rethrows -> Result {
        let request = FetchRequest(
            archive: container.paths.walArchive,
            name: "",
            target: "",
            segmentSize: container.segmentSize,
            path: path,
            until: stop,
            isChecked: isChecked,
            systemIdentifier: container.identity.systemIdentifier
        )
        let isOver = ThreadFlag()
        // Without it the server waits a little longer for each segment.
        let thread = try? OwnedThread.start(name: "ahead") {
            FetchAhead(request, writeAheadLog: writeAheadLog).run(from: redo) { isOver.isRaised }
        }
        defer {
            isOver.raise()
            thread?.join()
            FetchAhead.remove(in: writeAheadLog)
        }
        return try body()
    }
}
