import ArchiveModel
import WALFormat
import WALStore

/// The survey as it stood behind some segments, so that reading goes on from there.
extension IndexDatabase {
    /// The last one's is kept, and that of each last one of a batch.
    func setSurvey(_ state: SurveyState, after number: UInt64, of timeline: TimelineID) throws {
        let batch = number & ~(Indexing.batch - 1)
        try database.run(
            "DELETE FROM surveys WHERE timeline = ? AND number >= ? AND number < ?",
            [SQLiteValue(timeline), SQLiteValue(batch), SQLiteValue(number)]
        )
        try database.run(
            "INSERT OR REPLACE INTO surveys VALUES (?, ?, ?)",
            [SQLiteValue(timeline), SQLiteValue(number), .text(try Self.json(state))]
        )
    }

    private func survey(after number: UInt64, of timeline: TimelineID) throws(SQLiteError) -> SurveyState? {
        let text = try database.rows(
            "SELECT state FROM surveys WHERE timeline = ? AND number = ?",
            [SQLiteValue(timeline), SQLiteValue(number)]
        ) { $0.text(0) }
        return (text.first ?? nil).flatMap { try? Self.value(SurveyState.self, $0) }
    }

    /// The state before a segment, as one who reads the whole archive has it there: from the nearest that is kept, by
    /// reading what is between.
    func survey(before number: UInt64, _ path: TimelinePath, _ container: Container) throws -> SurveyState {
        var state = SurveyState()
        var first = number
        while first > 0, number - first < Indexing.batch {
            let last = LSN(container.segmentSize.start(of: first).rawValue &- 1)
            let timeline = path.timeline(at: last)
            if let saved = try survey(after: first - 1, of: timeline) {
                state = saved
                break
            }
            let name = SegmentName(timeline: timeline, containing: last, size: container.segmentSize)
            guard try container.walDirectory.locate(name, completeOnly: true) != nil else { break }
            first -= 1
        }
        guard first < number else { return state }
        let survey = WALSurvey(container.walDirectory, along: path, expectation: container.expectation)
        try survey.run(first...number - 1, from: &state) { _ in .proceed }
        return state
    }

    // MARK: - The newest segment

    private static func heldBackKey(_ timeline: TimelineID) -> String { "held-back-\(timeline)" }

    /// The newest segment's file, when it was last found to go on in WAL that is not there.
    func heldBack(_ timeline: TimelineID) throws(SQLiteError) -> String? {
        try state(String.self, Self.heldBackKey(timeline))
    }

    func holdBack(_ file: String?, _ timeline: TimelineID) throws {
        try setState(file, Self.heldBackKey(timeline))
    }

    func firstNumber() throws(SQLiteError) -> UInt64? {
        try database.rows("SELECT min(number) FROM segments") { $0.integer(0).map { UInt64(bitPattern: $0) } }.first
            ?? nil
    }
}

extension StoredSegment {
    /// As the index remembers it while it waits.
    var held: String? { stamp.map { "\(fileName) \(bytes) \($0.modified) \($0.inode)" } }
}
