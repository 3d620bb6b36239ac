import ArchiveModel
import Foundation
import WALFormat
import WALStore

@testable import ArchiveEngine
@testable import pgarchive

/// Fixed values for the golden files: one of each kind of row.
enum GoldenValues {
    /// 2026-11-21 09:00 UTC.
    static let now = PostgresTime(unixMicroseconds: 1_795_251_600_000_000)
    static let size = SegmentSize.standard

    private static func before(_ seconds: Int64, _ microseconds: Int64 = 0) -> PostgresTime {
        PostgresTime(rawValue: now.rawValue - seconds * 1_000_000 + microseconds)
    }

    static var status: StatusReport {
        StatusReport(
            container: "main",
            root: "/var/lib/pgarchive/main",
            parts: [
                .init(name: "supervisor", isRunning: true, state: "running", reason: nil, processID: 4711),
                .init(name: "wal_archive", isRunning: true, state: "streaming", reason: nil, processID: 4712),
                .init(
                    name: "standby",
                    isRunning: false,
                    state: "failing",
                    reason: "ended with exit status 1: no space left on device",
                    processID: nil
                ),
            ],
            waterline: Waterline(
                upstream: .init(name: "upstream", position: LSN(0x3_4500_0000), time: before(0)),
                received: .init(name: "received", position: LSN(0x3_44FF_F000), timeline: TimelineID(2)),
                durable: .init(name: "durable", position: LSN(0x3_44FF_0000), timeline: TimelineID(2), time: before(1)),
                indexed: .init(name: "indexed", position: LSN(0x3_4400_0000), timeline: TimelineID(2)),
                replayed: .init(
                    name: "replayed",
                    position: LSN(0x3_1000_0028),
                    timeline: TimelineID(2),
                    time: before(7500),
                    reason: "the standby is not running"
                ),
                snapshot: .init(name: "snapshot", position: LSN(0x2_FF00_0110), timeline: TimelineID(1))
            ),
            snapshots: 3,
            clones: 2,
            clonesRunning: 1,
            looks: 1,
            verified: [
                LastVerification(at: before(86_400), deep: true, findings: 0, first: nil),
                LastVerification(
                    at: before(60),
                    deep: false,
                    findings: 2,
                    first: "segment 000000020000000300000011 is missing"
                ),
            ]
        )
    }

    static var listing: ArchiveListing {
        ArchiveListing([
            ("00000001000000030000000F.zst", 812_345, nil),
            ("000000010000000300000010", 16 << 20, nil),
            ("000000020000000300000010.gz", 1_234_567, nil),
            ("000000020000000300000011.partial", 5 << 20, nil),
            ("00000002.history", 41, nil),
            ("README", 12, nil),
        ])
    }

    private static func snapshot(_ name: String, _ age: Int64, live: Bool = true) -> SnapshotRecord {
        SnapshotRecord(
            name: name,
            createdAt: before(age),
            timeline: TimelineID(1),
            redo: LSN(0x2_FF00_0028),
            consistent: LSN(0x2_FF00_0110),
            replayed: LSN(0x2_FF10_0000),
            lastTransactionTime: before(age + 2, 345_678),
            checkpointTime: before(age + 30),
            driver: .btrfs,
            live: live
        )
    }

    static var snapshots: [SnapshotRow] {
        [
            SnapshotRow(
                record: snapshot("20261120-083000", 88_200),
                space: SnapshotSpace.Count(bytes: 1_500_000_000, countedAt: before(130))
            ),
            SnapshotRow(record: snapshot("before-migration", 59, live: false), space: nil),
        ]
    }

    static var clones: [CloneRow] {
        let parameters = HotStandbyParameters(
            maxConnections: 100,
            maxWorkerProcesses: 8,
            maxWALSenders: 10,
            maxPreparedTransactions: 0,
            maxLocksPerTransaction: 64
        )
        func record(_ name: String, _ state: CloneRecord.State, _ time: PostgresTime?) -> CloneRecord {
            CloneRecord(
                name: name,
                snapshot: "20261120-083000",
                createdAt: before(3600),
                state: state,
                port: 5501,
                requested: "latest",
                targetTime: time,
                redo: LSN(0x2_FF00_0028),
                path: TimelinePath(TimelineID(1)),
                stop: LSN(0x3_0000_0148),
                lastTransactionTime: time,
                parameters: parameters
            )
        }
        var used = record("look", .recovered, before(4000, 250_000))
        used.expiresAt = before(-90_000)
        used.owner = "qa"
        used.note = "rehearsal of 4.2"
        var kept = record("waiting", .created, nil)
        kept.protected = true
        var branch = record("base", .branch, nil)
        branch.requested = "clone look"
        return [
            CloneRow(
                used,
                in: nil,
                lastUsed: before(130),
                space: SnapshotSpace.Count(bytes: 150_000_000, countedAt: before(130))
            ),
            CloneRow(kept, in: nil),
            CloneRow(branch, in: nil),
        ]
    }

    static func plan() throws -> RestorePlan {
        let path = TimelinePath(ancestors: [(TimelineID(1), LSN(0x3_1000_0000))], timeline: TimelineID(2))
        let encoded = try JSONFile.line(path)
        let text = """
            {"snapshot": "20261120-083000", "redo": "2/FF000028", "path": \(encoded), "stop": "3/10000148",
            "lastTransactionTime": "2026-11-21T08:49:59.123456Z", "lastTransactionID": 74921,
            "firstLeftOut": "2026-11-21T08:50:00.000001Z", "firstLeftOutTransactionID": 74922,
            "parameters": {"maxConnections": 100, "maxWorkerProcesses": 8, "maxWALSenders": 10,
            "maxPreparedTransactions": 0, "maxLocksPerTransaction": 64},
            "warnings": [], "readFrom": "3/10000000", "predictedSeconds": 2.25}
            """
        return try JSONDecoder().decode(RestorePlan.self, from: Data(text.utf8))
    }

    static var events: [NamedEvent] {
        let none = SurveyEvent.Files(removed: [], dropped: [16_385], locked: [], created: [])
        let file = RelationFile(tablespace: 1663, database: 5, number: 16_390)
        let kinds: [(SurveyEvent.Kind, [String])] = [
            (.drop(none), ["orders"]),
            (.truncate(none), ["log"]),
            (.massDelete(relation: file, rows: 120_000), ["customers"]),
            (.databaseDrop(database: 16_384), []),
            (.restorePoint(name: "before release 7"), []),
            (.timelineSwitch(from: TimelineID(1), to: TimelineID(2)), []),
            (.checkpoint(redo: LSN(0x3_0F00_0000), isShutdown: true), []),
        ]
        return kinds.enumerated().map { index, kind in
            let start = LSN(0x3_1000_0028).advanced(by: UInt64(index) << 20)
            let hasRows = index < 4
            return NamedEvent(
                event: SurveyEvent(
                    start: start,
                    end: start.advanced(by: 200),
                    timeline: TimelineID(1),
                    time: index == 6 ? nil : before(600 - Int64(index), 5),
                    transactionID: hasRows ? 74_921 + UInt32(index) : 0,
                    database: hasRows ? 5 : nil,
                    kind: kind.0
                ),
                database: hasRows ? "shop" : nil,
                names: kind.1.map { name in
                    KnownName(
                        database: 5,
                        relation: file.number,
                        file: file.number,
                        schema: "public",
                        name: name,
                        kind: .table,
                        seenFrom: start
                    )
                },
                isUnknown: false
            )
        }
    }

    static func window() throws -> Window {
        let path = try JSONFile.line(TimelinePath(TimelineID(1)))
        let text = """
            {"timelines": [{"timeline": 1, "beginning": "0/0", "path": \(path),
            "intervals": [
            {"start": "2/FF000110", "end": "3/5000000", "snapshot": "20261120-083000",
            "from": "2026-11-20T08:30:00.250000Z", "to": "2026-11-20T12:00:00.750000Z",
            "lastCommit": {"time": "2026-11-20T12:00:00.750000Z", "transactionID": 70000, "end": "3/4FFFF00"}},
            {"start": "3/6001000", "end": "3/44FF0000", "snapshot": "before-migration"}],
            "doubtful": [{"start": "3/6800000", "end": "3/6900000",
            "cause": "full_page_writes was switched off on the upstream at 3/6800000: pages may be damaged"}],
            "gaps": [{"start": "3/5000000", "end": "3/6001000",
            "cause": "segment 000000010000000300000005 is missing"}]}],
            "lag": {"durable": "3/44FF0000", "upstream": "3/45000000", "bytes": 65536,
            "completeUpTo": "2026-11-21T08:59:58.500000Z", "seconds": 1.5, "reason": "the slot is gone"}}
            """
        return try JSONDecoder().decode(Window.self, from: Data(text.utf8))
    }
}
