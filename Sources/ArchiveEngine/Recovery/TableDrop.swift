package import ArchiveModel
package import WALFormat

/// "Just before that table was dropped", as a target.
package enum TableDrop {
    /// - Parameter nameDrops: finds out the tables of drops after a position whose names are not known yet; one of them
    ///   may be the table's last.
    package static func target(
        _ table: String,
        _ index: TargetIndex?,
        nameDrops: (_ after: LSN?) throws -> Void
    ) throws -> Target {
        guard let index else {
            throw ArchiveError(
                .refused,
                "when '\(table)' was dropped is not known here: there is no index of the WAL",
                hint: "give the time or the position: --at, --lsn or --before"
            )
        }
        try nameDrops(index.drops(table).first?.start)
        let drops = try index.drops(table)
        guard let drop = drops.first else {
            throw ArchiveError(
                .notFound,
                "no drop of a table '\(table)' is known",
                hint: Spelling.nearest(to: table, among: try index.droppedTables()).map { "did you mean '\($0)'?" }
                    ?? "'pgarchive wal_archive events' shows what was dropped; --before takes its position"
            )
        }
        guard drops.count == 1 else {
            throw ArchiveError(
                .refused,
                "there are \(drops.count) tables '\(table)' that were dropped",
                hint: "give the database and the schema too, or --before with the position",
                details: drops.map { drop in
                    "\(drop.table): --before \(drop.start)" + (drop.time.map { ", \(Instant.local($0))" } ?? "")
                }
            )
        }
        return .before(drop.start)
    }
}
