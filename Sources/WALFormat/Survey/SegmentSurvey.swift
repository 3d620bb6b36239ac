/// What the records that begin in a segment, or in a piece of a large one, tell; made without knowing what came before.
///
/// Several can be made at once; a `SurveyState` then takes them in their order. Its memory is bounded by the length of
/// the piece: a caller cuts large segments.
package struct SegmentSurvey: Sendable {
    /// The end of a transaction.
    struct End {
        let start: LSN
        let end: LSN
        let time: PostgresTime
        let transactionID: UInt32
        let database: UInt32?
        let isCommit: Bool
        /// Worth a closer look even when nothing is known from before this piece.
        var isNotable: Bool
        let subtransactions: Range<Int>
        let removed: Range<Int>
        let dropped: Range<Int>
    }

    /// Of the records so far.
    package var summary: SegmentSummary {
        var whole = facts
        if let last { (whole.lastRecord, whole.end) = last }
        let total = statistics.total
        (whole.records, whole.recordBytes) = (total.records, total.bytes)
        return whole
    }
    package private(set) var statistics = RecordStatistics()
    /// The summary, but for what is known from elsewhere.
    var facts: SegmentSummary
    private var isEmpty = true
    private(set) var last: (start: LSN, end: LSN)?
    private(set) var table = TransactionTable()
    private(set) var ends: [End] = []
    private(set) var subtransactions: [UInt32] = []
    private(set) var removed: [RelationFile] = []
    private(set) var dropped: [UInt32] = []
    /// What is an event by itself; the timeline is filled in later.
    var events: [SurveyEvent] = []
    /// Transactions before it were over at the last look (`XLOG_RUNNING_XACTS`).
    private(set) var oldestRunning: UInt32?

    package init(_ segment: SegmentName, start: LSN) {
        facts = SegmentSummary(segment: segment, end: start)
    }

    /// Begins anew with another piece; keeps the memory.
    package mutating func reset(_ segment: SegmentName, start: LSN) {
        facts = SegmentSummary(segment: segment, end: start)
        (isEmpty, last) = (true, nil)
        statistics.removeAll()
        table.removeAll()
        ends.removeAll(keepingCapacity: true)
        subtransactions.removeAll(keepingCapacity: true)
        removed.removeAll(keepingCapacity: true)
        dropped.removeAll(keepingCapacity: true)
        events.removeAll(keepingCapacity: true)
        oldestRunning = nil
    }

    /// Takes the next record, with its body as `SegmentScanner` hands it out.
    @inline(__always)
    package mutating func visit(_ record: WALRecord, body: UnsafeRawBufferPointer, major: PostgresMajor) {
        if isEmpty {
            isEmpty = false
            facts.firstRecord = record.start
            facts.firstPrevious = record.previous
        }
        last = (record.start, record.end)
        statistics.add(record.resourceManager, bytes: record.totalLength)
        switch record.resourceManager {
        case ResourceManager.heap: heap(record, body)
        case ResourceManager.transaction: transaction(record, body, major)
        case ResourceManager.heap2, ResourceManager.storage, ResourceManager.standby, ResourceManager.xlog,
            ResourceManager.database, ResourceManager.tablespace:
            visitRare(record, body, major)
        default: break
        }
    }

    @inline(__always)
    private mutating func heap(_ record: WALRecord, _ body: UnsafeRawBufferPointer) {
        let change: TransactionTable.Change
        switch record.info & 0x70 {
        case 0x00: change = .insert
        case 0x10: change = .delete
        case 0x20, 0x40: change = .update
        default: return
        }
        guard record.transactionID != 0, let file = RelationFile(firstBlockOf: body) else { return }
        if change == .delete || file.tellsDrops {
            heapClosely(change, record, body)
        } else {
            table.count(change, rows: 1, of: file, by: record.transactionID)
        }
    }

    /// Deletes have flags; of some catalogs the rows' places are kept.
    private mutating func heapClosely(
        _ change: TransactionTable.Change,
        _ record: WALRecord,
        _ body: UnsafeRawBufferPointer
    ) {
        var parts = RecordParts(record, body: body)
        guard let block = parts.nextBlock() else { return }
        let second = parts.nextBlock()
        while parts.nextBlock() != nil {}
        guard let main = parts.main() else { return }
        let heap = HeapChange(change, main)
        if heap.isNotThere { return }
        let file = block.relation
        table.count(heap.isMove ? .update : change, rows: 1, of: file, by: record.transactionID)
        guard file.tellsDrops else { return }
        let row = TransactionEffects.CatalogRow(file: file, place: UInt64(block.block) << 16 | UInt64(heap.item))
        let what: TransactionEffects.Note.What
        switch change {
        case .insert: what = .rowInserted(row)
        case .delete: what = .rowDeleted(row)
        case .update:
            // The first block is the new row's; the old row's is the second, or the same.
            let oldBlock = UInt64((second ?? block).block)
            let old = TransactionEffects.CatalogRow(file: file, place: oldBlock << 16 | UInt64(heap.oldItem))
            what = .rowUpdated(from: old, to: row)
        }
        table.note(what, at: record.start, by: record.transactionID)
    }

    @inline(__always)
    private mutating func transaction(_ record: WALRecord, _ body: UnsafeRawBufferPointer, _ major: PostgresMajor) {
        let event: WALEvent.TransactionEnd
        let isCommit: Bool
        switch record.info {
        case 0x00 where body.count == 10 && body[0] == 255:
            // A commit of nothing but its time, as most are.
            let time = PostgresTime(
                rawValue: Int64(littleEndian: body.loadUnaligned(fromByteOffset: 2, as: Int64.self))
            )
            let id = record.transactionID
            end(record, id, time, nil, isCommit: true, isNotable: id != 0 && table.end(id), (0..<0, 0..<0, 0..<0))
            return
        default:
            switch WALEvent.decode(record, body: body, major: major) {
            case .commit(let end): (event, isCommit) = (end, true)
            case .abort(let end): (event, isCommit) = (end, false)
            default: return
            }
        }
        var isNotable = event.transactionID != 0 && table.end(event.transactionID)
        for id in event.subtransactions where id != 0 {
            _ = table.end(id)
            isNotable = true
        }
        let first = (subtransactions.count, removed.count, dropped.count)
        subtransactions += event.subtransactions
        removed += event.droppedRelations
        dropped += event.droppedOIDs
        end(
            record,
            event.transactionID,
            event.time,
            event.database,
            isCommit: isCommit,
            isNotable: isNotable || !event.droppedRelations.isEmpty,
            (first.0..<subtransactions.count, first.1..<removed.count, first.2..<dropped.count)
        )
    }

    @inline(__always)
    private mutating func end(
        _ record: WALRecord,
        _ id: UInt32,
        _ time: PostgresTime,
        _ database: UInt32?,
        isCommit: Bool,
        isNotable: Bool,
        _ lists: (children: Range<Int>, removed: Range<Int>, dropped: Range<Int>)
    ) {
        if let latest = facts.latestTime, latest.seconds(since: time) > 1 { facts.clockSteppedBack = true }
        if let earliest = facts.earliestTime, earliest <= time {} else { facts.earliestTime = time }
        if let latest = facts.latestTime, latest >= time {} else { facts.latestTime = time }
        if id != 0 { facts.include(transaction: id) }
        if isCommit {
            facts.commits &+= 1
            facts.lastCommit = .init(time: time, transactionID: id, start: record.start, end: record.end)
        } else {
            facts.aborts &+= 1
        }
        guard id != 0 else { return }
        ends.append(
            End(
                start: record.start,
                end: record.end,
                time: time,
                transactionID: id,
                database: database,
                isCommit: isCommit,
                isNotable: isNotable && isCommit,
                subtransactions: lists.children,
                removed: lists.removed,
                dropped: lists.dropped
            )
        )
    }

    private mutating func visitRare(_ record: WALRecord, _ body: UnsafeRawBufferPointer, _ major: PostgresMajor) {
        switch record.resourceManager {
        case ResourceManager.heap2: insertMany(record, body)
        case ResourceManager.storage: storage(record, body)
        case ResourceManager.standby: standby(record, body)
        case ResourceManager.xlog where record.info & 0xF0 == 0xB0: pageImages(record, body)
        default:
            guard let event = WALEvent.decode(record, body: body, major: major) else { return }
            take(event, record)
        }
    }

    /// `XLOG_HEAP2_MULTI_INSERT` (heapam_xlog.h): flags, then the number of rows at 2.
    private mutating func insertMany(_ record: WALRecord, _ body: UnsafeRawBufferPointer) {
        guard record.info & 0x70 == 0x50, record.transactionID != 0 else { return }
        var parts = RecordParts(record, body: body)
        guard let block = parts.nextBlock(), block.fork == 0 else { return }
        while parts.nextBlock() != nil {}
        var rows: UInt32 = 1
        if let main = parts.main(), main.count >= 4 {
            rows = UInt32(UInt16(littleEndian: main.loadUnaligned(fromByteOffset: 2, as: UInt16.self)))
        }
        table.count(.insert, rows: rows, of: block.relation, by: record.transactionID)
    }

    /// `XLOG_FPI`: pages that were built elsewhere and are now part of a new file.
    private mutating func pageImages(_ record: WALRecord, _ body: UnsafeRawBufferPointer) {
        guard record.transactionID != 0 else { return }
        var parts = RecordParts(record, body: body)
        while let block = parts.nextBlock() {
            guard block.fork == 0, let image = block.image else { continue }
            // Where the hole reaches up to a page's special area there is no row or entry: the first pages of an
            // empty index.
            let isEmpty = Int(image.holeOffset) + Int(image.holeLength) >= PageHeader.pageSize - 16
            if !isEmpty { table.count(.insert, rows: 1, of: block.relation, by: record.transactionID) }
        }
    }

    /// `XLOG_SMGR_CREATE` (storage_xlog.h).
    private mutating func storage(_ record: WALRecord, _ body: UnsafeRawBufferPointer) {
        guard record.info & 0xF0 == 0x10, record.transactionID != 0, let main = MainData(record: record, body: body)
        else { return }
        var reader = ByteReader(main.bytes)
        guard let file = try? RelationFile(&reader), let fork = try? reader.little(UInt32.self), fork == 0 else {
            return
        }
        table.note(.created(file), at: record.start, by: record.transactionID)
    }

    /// `XLOG_STANDBY_LOCK` and `XLOG_RUNNING_XACTS` (standbydefs.h).
    private mutating func standby(_ record: WALRecord, _ body: UnsafeRawBufferPointer) {
        guard let main = MainData(record: record, body: body) else { return }
        var reader = ByteReader(main.bytes)
        do throws(FormatError) {
            switch record.info & 0xF0 {
            case 0x00:
                for _ in 0..<(try reader.count(ofElements: 12)) {
                    let id: UInt32 = try reader.little()
                    try reader.skip(4)
                    let relation: UInt32 = try reader.little()
                    if id != 0 { table.note(.locked(relation: relation), at: record.start, by: id) }
                }
            case 0x10:
                try reader.skip(16)
                oldestRunning = try reader.little()
            default: break
            }
        } catch {
            // Not as it should be, though its checksum is right: nothing is learned from it.
        }
    }
}
