import ArchiveModel
import Platform
package import WALFormat

/// What the indexer says of itself, for everybody else to read (`run/index.json`).
package struct IndexStatus: Codable, Hashable, Sendable {
    /// The end of the last segment that is indexed, on the newest timeline; holes before it are the window's matter.
    package var position: LSN?
    package var timeline: TimelineID?
    /// The last commit in it.
    package var time: PostgresTime?
    /// Why it does not go on; nil while it does.
    package var reason: String?

    package init(position: LSN? = nil, timeline: TimelineID? = nil, time: PostgresTime? = nil, reason: String? = nil) {
        self.position = position
        self.timeline = timeline
        self.time = time
        self.reason = reason
    }

    static func read(_ container: Container) -> IndexStatus? {
        (try? JSONFile.read(IndexStatus.self, from: container.paths.indexStatus)) ?? nil
    }

    static func write(_ status: IndexStatus, _ container: Container) throws {
        guard read(container) != status else { return }
        try JSONFile.replace(container.paths.indexStatus, with: status)
    }

    /// Keeps what was reached, and says why it does not go on.
    static func note(reason: String, _ container: Container) {
        var status = read(container) ?? IndexStatus()
        status.reason = reason
        try? write(status, container)
    }

    /// - Parameter durable: as the receiver said it last. It says so every few seconds only; segments that are complete
    ///   are durable all the same, and the index reads no others.
    static func station(_ container: Container, durable: LSN?) -> Waterline.Station {
        let status = read(container)
        return Waterline.Station(
            name: "indexed",
            position: [status?.position, durable].compactMap(\.self).min(),
            timeline: status?.timeline,
            time: status?.time,
            reason: status?.reason
        )
    }
}

extension IndexDatabase {
    /// The end of what is indexed on the newest timeline.
    func end(size: SegmentSize) throws(SQLiteError) -> IndexStatus {
        try database.rows(
            """
            SELECT timeline, number,
                   (SELECT max(commit_time) FROM segments AS commits WHERE commits.timeline = last.timeline
                    AND commits.number = (SELECT max(number) FROM segments AS newest
                                          WHERE newest.timeline = last.timeline AND newest.commits > 0))
            FROM segments AS last ORDER BY timeline DESC, number DESC LIMIT 1
            """
        ) { row in
            IndexStatus(
                position: size.start(of: row.number(1)).advanced(by: size.bytes),
                timeline: TimelineID(UInt32(truncatingIfNeeded: row.number(0))),
                time: row.time(2)
            )
        }.first ?? IndexStatus()
    }
}
