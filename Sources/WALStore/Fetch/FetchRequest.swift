package import ArchiveModel
package import WALFormat

/// What one restore_command asks for: all that fetch knows, no settings are read.
package struct FetchRequest: Sendable {
    /// The WAL archive's directory.
    package var archive: String
    /// `%f`: the name that PostgreSQL wants.
    package var name: String
    /// `%p`: where PostgreSQL wants it, relative to its working directory.
    package var target: String
    /// Nil: taken from the segments themselves.
    package var segmentSize: SegmentSize?
    /// The timelines that may be served; nil serves all.
    package var path: TimelinePath?
    /// The archive ends here for this caller; always the end of a record.
    package var until: LSN?
    /// The caller has just read and checked all WAL up to `until`: complete segments are served without a second look.
    package var isChecked: Bool
    /// The archive is any directory of WAL files, and the server any server: nothing else is known of either.
    package var isPlain = false
    /// The server becomes a primary beside the archive's own: it must not take a timeline that the archive has.
    package var takesNewTimeline = false
    /// Segments may lie ready beside the target (`FetchAhead`).
    package var takesAhead = false
    /// The standby's form: waits for the next segment, holds before what must not be replayed.
    package var waits: Bool
    package var systemIdentifier: UInt64?
    /// Where the standby's form says why it stands still.
    package var holdFile: String?
    /// Made when PostgreSQL has got all that it may have; asked again, it is then answered ever later.
    package var endFile: String?
    /// How long trouble that may pass is given to pass, in seconds; for the standby how long it waits altogether.
    ///
    /// PostgreSQL cannot be stopped or promoted in an orderly way while it waits for its restore_command.
    package var patienceSeconds = 5.0

    package init(
        archive: String,
        name: String,
        target: String,
        segmentSize: SegmentSize? = nil,
        path: TimelinePath? = nil,
        until: LSN? = nil,
        isChecked: Bool = false,
        waits: Bool = false,
        systemIdentifier: UInt64? = nil,
        holdFile: String? = nil,
        endFile: String? = nil
    ) {
        self.archive = archive
        self.name = name
        self.target = target
        self.segmentSize = segmentSize
        self.path = path
        self.until = until
        self.isChecked = isChecked
        self.waits = waits
        self.systemIdentifier = systemIdentifier
        self.holdFile = holdFile
        self.endFile = endFile
    }
}
