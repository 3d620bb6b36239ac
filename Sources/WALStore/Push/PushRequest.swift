package import WALFormat

/// What one archive_command asks for: all that push knows, no settings are read.
package struct PushRequest: Sendable {
    /// The directory to store in; it must be there.
    package var archive: String
    /// The cluster whose archive it is; nil for a plain directory, which takes the WAL of whichever comes first.
    package var systemIdentifier: UInt64?
    /// It must be marked as that cluster's (`ArchiveMark`).
    package var requiresMark: Bool
    /// Nil: as the segment's first page says.
    package var segmentSize: SegmentSize?
    /// The file to store, `%p`: its last component is the name.
    package var source: String

    package init(
        archive: String,
        systemIdentifier: UInt64? = nil,
        requiresMark: Bool = false,
        segmentSize: SegmentSize? = nil,
        source: String
    ) {
        self.archive = archive
        self.systemIdentifier = systemIdentifier
        self.requiresMark = requiresMark
        self.segmentSize = segmentSize
        self.source = source
    }
}
