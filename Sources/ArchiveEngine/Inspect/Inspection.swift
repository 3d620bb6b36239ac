package import ArchiveModel
package import WALFormat
import WALStore

/// Looks at the records of archived WAL, in whatever form it is stored, as far as they are valid.
package struct Inspection: Sendable {
    private let directory: WALDirectory
    private let expectation: SegmentScanner.Expectation
    package let range: InspectionRange

    package init(_ container: Container, _ words: InspectionRange.Words, timeline: TimelineID?) throws {
        directory = container.walDirectory
        expectation = container.expectation
        range = try InspectionRange(words, timeline: timeline, in: directory)
    }

    /// Of any directory of segments; the segment size is what most of them say.
    package init(directory path: String, _ words: InspectionRange.Words, timeline: TimelineID?) throws {
        directory = try ChainGathering(directory: path).directory
        expectation = .init()
        range = try InspectionRange(words, timeline: timeline, in: directory)
    }

    /// A record with what pg_waldump says of it in a line.
    package struct Record: Sendable, Encodable {
        package let resourceManager: String
        /// Its length without page images, and with them.
        package let length: UInt32
        package let totalLength: UInt32
        package let transactionID: UInt32
        package let timeline: TimelineID
        package let start: LSN
        package let previous: LSN
        /// `INSERT`, `COMMIT`…; the number for what has no name.
        package let kind: String
        package let blocks: [Block]

        package struct Block: Sendable, Encodable {
            package let relation: String
            package let fork: UInt8
            package let block: UInt32
            package let hasImage: Bool
        }
    }

    /// The end of a transaction, as it is in the WAL.
    package struct End: Sendable, Encodable {
        package let time: PostgresTime
        package let transactionID: UInt32
        package let start: LSN
        package let end: LSN
        package let timeline: TimelineID
        package let isCommit: Bool
        package let isPrepared: Bool
        /// Nil where the record does not say it.
        package let database: UInt32?
        package let subtransactions: Int
        package let removedFiles: Int
    }

    /// Gives each record, in order; returns when the range is over, or `visit` gives false.
    package func records(_ visit: (Record) throws -> Bool) throws {
        try walk(everyBody: true) { record, timeline, body, major in
            var parts = RecordParts(record, body: body)
            var blocks: [Record.Block] = []
            var images: UInt32 = 0
            while let block = parts.nextBlock() {
                images &+= UInt32(block.image?.length ?? 0)
                blocks.append(
                    .init(
                        relation: block.relation.text,
                        fork: block.fork,
                        block: block.block,
                        hasImage: block.image != nil
                    )
                )
            }
            return try visit(
                Record(
                    resourceManager: ResourceManager.name(record.resourceManager),
                    length: record.totalLength >= images ? record.totalLength - images : record.totalLength,
                    totalLength: record.totalLength,
                    transactionID: record.transactionID,
                    timeline: timeline,
                    start: record.start,
                    previous: record.previous,
                    kind: RecordKind.name(record, major: major) ?? "UNKNOWN (\(record.info & 0xF0))",
                    blocks: blocks
                )
            )
        }
    }

    /// Gives each commit and abort, in order.
    package func ends(_ visit: (End) throws -> Bool) throws {
        try walk(everyBody: false) { record, timeline, body, major in
            guard record.resourceManager == ResourceManager.transaction else { return true }
            let transaction: WALEvent.TransactionEnd
            let isCommit: Bool
            switch WALEvent.decode(record, body: body, major: major) {
            case .commit(let end): (transaction, isCommit) = (end, true)
            case .abort(let end): (transaction, isCommit) = (end, false)
            default: return true
            }
            return try visit(
                End(
                    time: transaction.time,
                    transactionID: transaction.transactionID,
                    start: record.start,
                    end: record.end,
                    timeline: timeline,
                    isCommit: isCommit,
                    isPrepared: transaction.isPrepared,
                    database: transaction.database,
                    subtransactions: transaction.subtransactionCount,
                    removedFiles: transaction.droppedRelations.count
                )
            )
        }
    }

    private func walk(
        everyBody: Bool,
        _ visit: (WALRecord, TimelineID, UnsafeRawBufferPointer, PostgresMajor) throws -> Bool
    ) throws {
        let start = directory.segmentSize.segmentStart(of: range.from)
        let walk = WALWalk(directory, expectation: expectation, everyBody: everyBody)
        let end = try walk.records(from: start, along: range.path) { record, timeline, body, major in
            if record.start < range.from { return .proceed }
            if record.start >= range.upTo { return .stop }
            return try visit(record, timeline, body, major) && record.end < range.upTo ? .proceed : .stop
        }
        switch end {
        case .stopped, .reached: return
        case .endOfArchive: return
        case .missing(let name):
            // A record that goes on there, at the range's end, is not asked for.
            let isWanted = name.start(size: directory.segmentSize).map { $0 < range.upTo } ?? true
            if isWanted { throw Self.missing(name) }
        case .corrupt(let fault, let name):
            if fault.position < range.upTo { throw Self.damage(fault, name) }
        }
    }

    private static func damage(_ fault: ScanFault, _ name: SegmentName) -> ArchiveError {
        ArchiveError(
            .verificationFailed,
            "segment \(name) is not valid WAL from \(fault.position) on: \(fault)",
            hint: "'pgarchive wal_archive verify --deep' says what that costs, and what to do"
        )
    }

    private static func missing(_ name: SegmentName) -> ArchiveError {
        ArchiveError(
            .verificationFailed,
            "segment \(name) is not there, but later ones are",
            hint: "'pgarchive wal_archive verify' says what that costs, and what to do"
        )
    }
}

extension RelationFile {
    /// As pg_waldump writes it.
    fileprivate var text: String { "\(tablespace)/\(database)/\(number)" }
}

extension Inspection {
    /// What whole segments hold, by one pass on all processors.
    package struct Statistics: Sendable {
        package var segments = 0
        package var records = RecordStatistics()
        package var bytes: UInt64 = 0
        package var summary: SegmentSummary?
        /// The first that is not as it should be; later segments are counted all the same.
        package var trouble: ArchiveError?
    }

    package func statistics() throws -> Statistics {
        var result = Statistics()
        var state = SurveyState()
        let survey = WALSurvey(directory, along: range.path, expectation: expectation)
        try survey.run(range.segments, from: &state) { segment in
            result.trouble = result.trouble ?? trouble(segment)
            guard let summary = segment.summary else { return .proceed }
            result.segments += 1
            result.records.add(segment.statistics)
            result.summary?.append(summary)
            result.summary = result.summary ?? summary
            return .proceed
        }
        return result
    }

    private func trouble(_ segment: SurveyedSegment) -> ArchiveError? {
        switch segment.outcome {
        case .valid, .partial: return nil
        case .missing: return Self.missing(segment.name)
        case .damaged(let fault): return Self.damage(fault, segment.name)
        case .wrongSize(let bytes):
            return ArchiveError(
                .verificationFailed,
                "segment \(segment.name) has \(bytes) bytes instead of \(directory.segmentSize.bytes)",
                hint: "'pgarchive wal_archive verify' says what that costs, and what to do"
            )
        case .unreadable(let error):
            return ErrorTranslation.archiveError(error)
                ?? ArchiveError(.failed, "segment \(segment.name) cannot be read: \(error)")
        }
    }
}
