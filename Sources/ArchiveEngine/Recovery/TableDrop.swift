package import ArchiveModel
package import WALFormat

/// "Just before that table was dropped", as a target.
package enum TableDrop {
    /// - Parameters:
    ///   - path: the way that will be recovered along: a drop elsewhere is another history's.
    ///   - nameDrops: finds out the tables of the path's drops after a position whose names are not known yet; one of
    ///     them may be the table's last. It gives the last of which that could not be found out.
    package static func target(
        _ table: String,
        _ index: TargetIndex?,
        along path: TimelinePath,
        nameDrops: (_ after: LSN?) throws -> LSN?
    ) throws -> Target {
        guard let index else {
            throw ArchiveError(
                .refused,
                "when '\(table)' was dropped is not known here: there is no index of the WAL",
                hint: "give the time or the position: --at, --lsn or --before"
            )
        }
        let isOnPath = { (drop: TargetIndex.Drop) in path.timeline(at: drop.start) == drop.timeline }
        var all = try index.drops(table)
        let last = all.known.first(where: isOnPath)?.start
        let isDoubtful = all.unnamed.contains { start, timeline in
            path.timeline(at: start) == timeline && last.map { start > $0 } ?? true
        }
        var unnamed: LSN?
        if isDoubtful {
            unnamed = try nameDrops(last)
            all = try index.drops(table)
        }
        let drops = lastOfEach(all.known.filter(isOnPath))
        guard let drop = drops.first else {
            if let elsewhere = all.known.first { throw isElsewhere(table, elsewhere, path) }
            throw ArchiveError(
                .notFound,
                "no drop of a table '\(table)' is known",
                hint: try index.nearest(table).map { "did you mean '\($0)'?" }
                    ?? "'pgarchive wal_archive events' shows what was dropped; --before takes its position",
                details: unnamed.map { ["what was dropped at \($0) is not known, and may be it"] } ?? []
            )
        }
        if let unnamed, unnamed > drop.start { throw mayBeLater(table, unnamed, known: drop) }
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

    /// A table can be made and dropped again and again.
    private static func lastOfEach(_ drops: [TargetIndex.Drop]) -> [TargetIndex.Drop] {
        var seen: Set<String> = []
        return drops.filter { seen.insert($0.table).inserted }
    }

    private static func mayBeLater(_ table: String, _ unnamed: LSN, known: TargetIndex.Drop) -> ArchiveError {
        ArchiveError(
            .refused,
            "what was dropped at \(unnamed) is not known, and may be '\(table)'",
            hint: "'pgarchive wal_archive events --kind drop --resolve-names' looks up names, the newest first; the "
                + "last known drop of it is --before \(known.start)"
        )
    }

    private static func isElsewhere(_ table: String, _ drop: TargetIndex.Drop, _ path: TimelinePath) -> ArchiveError {
        ArchiveError(
            .refused,
            "'\(table)' was dropped on timeline \(drop.timeline) only, at \(drop.start), which is not on the way to "
                + "timeline \(path.target)",
            hint: "--timeline \(drop.timeline) follows that one"
        )
    }
}
