/// The file `backup_label` (PostgreSQL: `build_backup_content`, xlogbackup.c; read by `read_backup_label`).
package struct BackupLabel: Hashable, Sendable {
    package enum Source: String, Sendable {
        case primary
        case standby
    }

    /// Where replay begins: the redo point of the checkpoint.
    package var start: LSN
    /// Where the checkpoint's record begins.
    package var checkpoint: LSN
    package var timeline: TimelineID
    package var source: Source
    /// `streamed` or `pg_rewind`.
    package var method: String
    package var label: String
    package var startTime: String

    /// Reads the file's text.
    ///
    /// - Throws: `FormatError.invalid` naming the line that is missing or cannot be read.
    package init(_ text: String) throws(FormatError) {
        throw .unsupported("not written yet")
    }
}
