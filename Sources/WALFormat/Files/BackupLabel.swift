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
    /// As the server wrote it, in its log_timezone.
    package var startTime: String
    /// Only pg_combinebackup can use it (17 and later).
    package var isIncremental: Bool

    /// Reads the file's text.
    ///
    /// - Throws: `FormatError.invalid` naming the line that is missing or cannot be read.
    package init(_ text: String) throws(FormatError) {
        var values: [Substring: String] = [:]
        for line in text.split(whereSeparator: \.isNewline) {
            let parts = line.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            if parts.count == 2 {
                values[parts[0]] = String(parts[1].drop { $0 == " " })
            }
        }
        start = try Self.position("START WAL LOCATION", in: values)
        checkpoint = try Self.position("CHECKPOINT LOCATION", in: values)
        guard let number = values["START TIMELINE"].flatMap({ UInt32($0) }), number > 0 else {
            throw .invalid("backup_label has no valid START TIMELINE")
        }
        timeline = TimelineID(number)
        let from = values["BACKUP FROM"] ?? Source.primary.rawValue
        guard let source = Source(rawValue: from) else {
            throw .invalid("backup_label has the unknown BACKUP FROM '\(from)'")
        }
        self.source = source
        method = values["BACKUP METHOD"] ?? ""
        label = values["LABEL"] ?? ""
        startTime = values["START TIME"] ?? ""
        isIncremental = values["INCREMENTAL FROM LSN"] != nil
    }

    /// `0/2000028 (file 000000010000000000000002)`: the part before the space.
    private static func position(_ key: Substring, in values: [Substring: String]) throws(FormatError) -> LSN {
        let text = values[key]?.prefix { $0 != " " } ?? ""
        guard let position = LSN(String(text)), position.isValid else {
            throw .invalid("backup_label has no valid \(key)")
        }
        return position
    }
}
