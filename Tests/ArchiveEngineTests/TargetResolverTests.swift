import ArchiveEngine
import ArchiveModel
import ArchiveTesting
import Glibc
import Platform
import Testing
import WALFormat

/// What a target is when the archive ends before it.
struct TargetResolverTests {
    private static let committed = PostgresTime(rawValue: 800_000_000_000_000)
    private static let wanted = PostgresTime(rawValue: 800_000_300_000_000)
    private static let later = PostgresTime(rawValue: 800_000_310_000_000)

    /// Asks for a moment after the last commit of an archive whose receiver said: upstream's clock and its end.
    private func resolve(clock: PostgresTime?, end: (LSN) -> LSN?) throws -> Result<RestorePlan, any Error> {
        try TestDirectory.with { directory in
            let container = try ContainerFixture.container(in: directory)
            var craft = WALCraft(start: LSN(0x100_0000), segmentSize: WALCraft.smallSegments, systemIdentifier: 1)
            craft.filler(byteCount: 700)
            craft.commit(700, at: Self.committed)
            let paths = container.paths
            try FileTree.makeDirectory(paths.walArchive, mode: 0o700)
            let name = SegmentName(timeline: TimelineID(1), containing: craft.start, size: craft.segmentSize)
            try Descriptor.open("\(paths.walArchive)/\(name).partial", O_WRONLY | O_CREAT, mode: 0o600)
                .writeAll(craft.bytes, at: 0)
            try FileTree.makeDirectory(paths.snapshots, mode: 0o700)
            try FileTree.makeDirectory("\(paths.snapshots)/first", mode: 0o700)
            try JSONFile.replace(paths.snapshot("first").record, with: snapshot(craft))
            var status = ReceiverStatus(processID: 1, updatedAt: Self.later)
            status.state = .retrying
            status.timeline = TimelineID(1)
            status.durable = craft.position
            status.heartbeatClock = clock
            status.heartbeatEnd = end(craft.position)
            try JSONFile.replace(paths.receiverStatus, with: status)
            return Result { try TargetResolver(container).resolve(.time(Self.wanted)) }
        }
    }

    private func snapshot(_ craft: WALCraft) -> SnapshotRecord {
        SnapshotRecord(
            name: "first",
            createdAt: Self.committed,
            timeline: TimelineID(1),
            redo: craft.records[0].start,
            consistent: craft.records[0].end,
            replayed: craft.records[0].end,
            lastTransactionTime: nil,
            checkpointTime: PostgresTime(rawValue: Self.committed.rawValue - 60_000_000),
            driver: .copy,
            live: true
        )
    }

    private func expectNotHere(_ clock: PostgresTime?, _ end: (LSN) -> LSN?) {
        do {
            let plan = try resolve(clock: clock, end: end).get()
            Issue.record("accepted: \(plan)")
        } catch {
            #expect((error as? ArchiveError)?.code == .refused, "\(error)")
            #expect("\(error)".contains("is not in the archive yet"), "\(error)")
        }
    }

    /// While it catches up: upstream's clock has passed the moment, and its WAL up to then is not all here.
    @Test func aMomentThatMayStillComeIsRefused() {
        expectNotHere(Self.later) { $0.advanced(by: 1) }
        expectNotHere(Self.later) { $0.advanced(by: 1 << 30) }
        expectNotHere(Self.committed) { $0 }
        expectNotHere(Self.later) { _ in nil }
        expectNotHere(nil) { $0 }
    }

    @Test func aMomentAfterWhichNothingCameIsTheArchivesEnd() throws {
        // Of the snapshot there is nothing but its record, so only its settings are missing then.
        #expect(throws: SystemError.self) { _ = try resolve(clock: Self.later) { $0 }.get() }
        #expect(throws: SystemError.self) { _ = try resolve(clock: Self.wanted) { $0 }.get() }
    }
}
