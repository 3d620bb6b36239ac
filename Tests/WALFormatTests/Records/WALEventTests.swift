import ArchiveTesting
import Foundation
import Testing
import WALFormat

/// The decoded events against pg_waldump's descriptions.
@Suite struct WALEventTests {
    @Test(arguments: Fixture.all, [1, 2] as [UInt32])
    func sayWhatPgWaldumpSays(fixture: Fixture, timeline: UInt32) throws {
        let (start, bytes) = try fixture.wal(timeline: timeline)
        let dump = try fixture.dump(timeline: timeline)
        var scan = Scan(SegmentScanner(startingAt: start, segmentSize: Fixture.size))
        scan.feed(bytes)
        var events = 0
        for (seen, expected) in zip(scan.seen, dump) {
            let event = seen.body.withUnsafeBytes {
                WALEvent.decode(seen.record, body: $0, major: fixture.major)
            }
            let word = expected.description.split(separator: " ").first.map(String.init) ?? ""
            if ["", "NEXTOID", "ASSIGNMENT", "CHECKPOINT_REDO"].contains(word) {
                #expect(event == nil, "\(expected)")
                continue
            }
            let found = try #require(event, "\(expected)")
            #expect(Description(found).fits(expected.description), "\(found) is not \(expected)")
            events += 1
        }
        #expect(events > (timeline == 1 ? 100 : 5))
    }

    @Test(arguments: Fixture.all)
    func preparedTransactionsEndWithTheirOwnNumber(fixture: Fixture) throws {
        let (start, bytes) = try fixture.wal(timeline: 1)
        var scan = Scan(SegmentScanner(startingAt: start, segmentSize: Fixture.size))
        scan.feed(bytes)
        var prepared: [String: UInt32] = [:]
        var ended: [UInt32] = []
        for seen in scan.seen {
            switch seen.body.withUnsafeBytes({ WALEvent.decode(seen.record, body: $0, major: fixture.major) }) {
            case .prepare(let transaction): prepared[transaction.globalID] = transaction.transactionID
            case .commit(let end) where end.isPrepared:
                #expect(end.droppedRelations.count == 4)
                #expect(end.subtransactionCount == 1)
                #expect(end.database == 5)
                ended.append(end.transactionID)
            case .abort(let end) where end.isPrepared: ended.append(end.transactionID)
            default: break
            }
        }
        #expect(prepared.count == 2)
        #expect(ended == [prepared["to commit"], prepared["to abort"]])
    }

    /// Whatever a body holds, decoding ends without a trap.
    @Test func bodiesOfNonsense() {
        var random = SeededGenerator(seed: 3)
        var decoded = 0
        for _ in 0..<50_000 {
            var body = (0..<Int.random(in: 0...120, using: &random)).map { _ in
                UInt8.random(in: 0...255, using: &random)
            }
            if body.count > 2, Bool.random(using: &random) {
                body[0] = 255
                body[1] = UInt8(body.count - 2)
            }
            let record = WALRecord(
                start: LSN(40),
                end: LSN(400),
                previous: LSN(0),
                transactionID: 1,
                totalLength: UInt32(body.count) + (Bool.random(using: &random) ? 24 : 1000),
                resourceManager: [0, 1, 4, 5].randomElement(using: &random) ?? 0,
                info: UInt8.random(in: 0...255, using: &random)
            )
            for major in PostgresMajor.allCases {
                let event = body.withUnsafeBytes { WALEvent.decode(record, body: $0, major: major) }
                decoded += event == nil ? 0 : 1
            }
        }
        #expect(decoded > 1000)
    }

    /// A commit with more invalidation messages than the scanner hands out keeps its time and what came before them.
    @Test func aCutCommitKeepsItsTime() throws {
        var body: [UInt8] = [254]
        var main: [UInt8] = []
        func append<T: FixedWidthInteger>(_ value: T, to bytes: inout [UInt8]) {
            withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
        }
        append(Int64(1234), to: &main)
        append(UInt32(0b1101), to: &main)
        append(UInt32(5), to: &main)
        append(UInt32(1663), to: &main)
        append(Int32(1), to: &main)
        for number: UInt32 in [1663, 5, 777] { append(number, to: &main) }
        // Invalidation messages of 16 bytes.
        let messages = SegmentScanner.maxBodyBytes / 16 + 1000
        append(Int32(messages), to: &main)
        main += [UInt8](repeating: 1, count: messages * 16)
        append(UInt32(main.count), to: &body)
        let record = WALRecord(
            start: LSN(40),
            end: LSN(400),
            previous: LSN(0),
            transactionID: 9,
            totalLength: UInt32(24 + body.count + main.count),
            resourceManager: ResourceManager.transaction,
            info: 0x80
        )
        let whole = (body + main).withUnsafeBytes { WALEvent.decode(record, body: $0, major: .v15) }
        let cut = (body + main).withUnsafeBytes {
            WALEvent.decode(
                record,
                body: UnsafeRawBufferPointer(rebasing: $0[..<SegmentScanner.maxBodyBytes]),
                major: .v15
            )
        }
        var end = WALEvent.TransactionEnd(
            time: PostgresTime(rawValue: 1234),
            transactionID: 9,
            isPrepared: false,
            database: 5,
            subtransactionCount: 0,
            droppedRelations: [RelationFile(tablespace: 1663, database: 5, number: 777)],
            isWhole: true
        )
        #expect(whole == .commit(end))
        end.isWhole = false
        #expect(cut == .commit(end))
    }
}

/// An event in pg_waldump's words, as far as both know it.
private struct Description {
    let start: String
    var relations: [RelationFile] = []
    var subtransactionCount = 0

    init(_ event: WALEvent) {
        switch event {
        case .commit(let end):
            start =
                end.isPrepared ? "COMMIT_PREPARED \(end.transactionID): \(text(end.time))" : "COMMIT \(text(end.time))"
            relations = end.droppedRelations
            subtransactionCount = end.subtransactionCount
        case .abort(let end):
            start =
                end.isPrepared ? "ABORT_PREPARED \(end.transactionID): \(text(end.time))" : "ABORT \(text(end.time))"
            relations = end.droppedRelations
            subtransactionCount = end.subtransactionCount
        case .prepare(let prepared): start = "PREPARE gid \(prepared.globalID): \(text(prepared.time))"
        case .checkpoint(let checkpoint):
            start =
                "CHECKPOINT_\(checkpoint.isShutdown ? "SHUTDOWN" : "ONLINE") redo \(checkpoint.redo); "
                + "tli \(checkpoint.timeline); prev tli \(checkpoint.previousTimeline); "
                + "fpw \(checkpoint.fullPageWrites)"
        case .endOfRecovery(let timeline, let previous, let time):
            start = "END_OF_RECOVERY tli \(timeline); prev tli \(previous); time \(text(time))"
        case .parameterChange(let change):
            let level = change.walLevel.map { "\($0)" } ?? "?"
            start =
                "PARAMETER_CHANGE max_connections=\(change.maxConnections) "
                + "max_worker_processes=\(change.maxWorkerProcesses) max_wal_senders=\(change.maxWALSenders) "
                + "max_prepared_xacts=\(change.maxPreparedTransactions) "
                + "max_locks_per_xact=\(change.maxLocksPerTransaction) wal_level=\(level)"
        case .restorePoint(let name, _): start = "RESTORE_POINT \(name)"
        case .fullPageWritesChange(let value): start = "FPW_CHANGE \(value)"
        case .switchSegment: start = "SWITCH"
        case .overwriteContrecord(let lsn, let time): start = "OVERWRITE_CONTRECORD lsn \(lsn); time \(text(time))"
        case .backupEnd(let position): start = "BACKUP_END \(position)"
        case .tablespaceCreate(let oid, let path): start = "CREATE \(oid) \"\(path)\""
        case .tablespaceDrop(let oid): start = "DROP \(oid)"
        case .databaseCreate(let creation):
            let place = "\(creation.tablespace)/\(creation.database)"
            start =
                creation.copiedFrom.map { "CREATE_FILE_COPY copy dir 1663/\($0) to \(place)" }
                ?? "CREATE_WAL_LOG create dir \(place)"
        case .databaseDrop(let database, let tablespaces):
            start = "DROP dir " + tablespaces.map { "\($0)/\(database)" }.joined(separator: " ")
        }
    }

    func fits(_ dumped: String) -> Bool {
        let parts = dumped.components(separatedBy: "; ")
        func words(_ key: String) -> [Substring] {
            parts.first { $0.hasPrefix(key) }?.dropFirst(key.count).split(separator: " ") ?? []
        }
        let isPrepare = dumped.hasPrefix("PREPARE")
        let files = isPrepare ? [] : words("rels: ").map { $0.split(separator: "/").last.flatMap { UInt32($0) } }
        let children = isPrepare || dumped.hasPrefix("ASSIGNMENT") ? 0 : words("subxacts: ").count
        return dumped.hasPrefix(start) && files == relations.map(\.number) && children == subtransactionCount
    }
}

private func text(_ time: PostgresTime) -> String {
    var seconds = time_t(time.unixMicroseconds / 1_000_000)
    var parts = tm()
    gmtime_r(&seconds, &parts)
    let micros = String(format: "%06d", time.unixMicroseconds % 1_000_000)
    return String(
        format: "%04d-%02d-%02d %02d:%02d:%02d.",
        parts.tm_year + 1900,
        parts.tm_mon + 1,
        parts.tm_mday,
        parts.tm_hour,
        parts.tm_min,
        parts.tm_sec
    ) + micros + " UTC"
}
