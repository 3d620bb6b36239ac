import ArchiveModel
import Testing
import WALFormat

@Suite("What expiry removes")
struct RetentionPlanTests {
    private static func snapshot(
        _ name: String,
        day: Int64,
        redo: UInt64,
        live: Bool = true,
        earliestTarget: Int64? = nil
    ) -> SnapshotRecord {
        SnapshotRecord(
            name: name,
            createdAt: PostgresTime(rawValue: day),
            timeline: TimelineID(1),
            redo: LSN(redo),
            consistent: LSN(redo + 100),
            replayed: LSN(redo + 200),
            lastTransactionTime: earliestTarget.map { PostgresTime(rawValue: $0) },
            // No later than any target.
            checkpointTime: PostgresTime(rawValue: -10_000_000),
            driver: .btrfs,
            live: live
        )
    }

    private static let size = SegmentSize(bytes: 1 << 20) ?? .standard

    private static func segments(_ range: Range<UInt64>) -> [SegmentName] {
        range.map { SegmentName(timeline: TimelineID(1), number: $0, size: size) }
    }

    @Test("old snapshots go, oldest first; the newest older one stays as the base of the moments since")
    func anchor() {
        let inventory = RetentionInventory(
            snapshots: (1...6).map { Self.snapshot("s\($0)", day: Int64($0), redo: UInt64($0) << 20) },
            clones: [],
            standbyRedo: LSN(7 << 20),
            segments: Self.segments(0..<9),
            segmentSize: Self.size
        )
        let plan = RetentionPlan(inventory: inventory, expire: PostgresTime(rawValue: 4), minimum: 1)
        #expect(plan.snapshotsToDelete.map(\.name) == ["s1", "s2"])
        #expect(plan.kept.map(\.snapshot) == ["s3", "s4", "s5", "s6"])
        #expect(plan.segmentsToRemove == Self.segments(0..<3))
    }

    @Test("a snapshot whose copy ended after the date is no base of the moments since")
    func longCopy() {
        let inventory = RetentionInventory(
            snapshots: [
                Self.snapshot("s1", day: 10, redo: 1 << 20, earliestTarget: 14),
                Self.snapshot("s2", day: 20, redo: 2 << 20, earliestTarget: 24),
                Self.snapshot("s3", day: 30, redo: 3 << 20, earliestTarget: 34),
                Self.snapshot("s4", day: 40, redo: 4 << 20, earliestTarget: 44),
            ],
            clones: [],
            standbyRedo: LSN(5 << 20),
            segments: [],
            segmentSize: Self.size
        )
        let plan = RetentionPlan(inventory: inventory, expire: PostgresTime(rawValue: 32), minimum: 1)
        #expect(plan.snapshotsToDelete.map(\.name) == ["s1"])
    }

    @Test("the newest snapshots stay, however old")
    func minimum() {
        let inventory = RetentionInventory(
            snapshots: (1...4).map { Self.snapshot("s\($0)", day: Int64($0), redo: UInt64($0) << 20) },
            clones: [],
            standbyRedo: LSN(5 << 20),
            segments: [],
            segmentSize: Self.size
        )
        let plan = RetentionPlan(inventory: inventory, expire: PostgresTime(rawValue: 100), minimum: 2)
        #expect(plan.snapshotsToDelete.map(\.name) == ["s1", "s2"])
    }

    @Test("no WAL is removed while the standby's needs are unknown")
    func unknownStandby() {
        let inventory = RetentionInventory(
            snapshots: [Self.snapshot("s", day: 1, redo: 5 << 20)],
            clones: [],
            standbyRedo: nil,
            segments: Self.segments(0..<9),
            segmentSize: Self.size
        )
        let plan = RetentionPlan(inventory: inventory, expire: PostgresTime(rawValue: 0), minimum: 1)
        #expect(plan.walFloor == nil)
        #expect(plan.segmentsToRemove.isEmpty)
    }

    @Test("a thousand random archives: what remains has all the WAL it needs", arguments: 0..<1000)
    func property(seed: Int) {
        var random = SeededRandom(seed: UInt64(seed))
        let snapshots = (0..<random.below(8)).map { index in
            let day = Int64(random.below(30))
            // Days before or after it was begun: an idle upstream, a long copy, clocks that differ.
            return Self.snapshot(
                "s\(index)",
                day: day,
                redo: UInt64(random.below(60)) << 18,
                live: random.below(5) > 0,
                earliestTarget: random.below(3) > 0 ? day + Int64(random.below(14)) - 4 : nil
            )
        }
        let clones = (0..<random.below(4)).map { index in
            RetentionInventory.Clone(
                name: "c\(index)",
                snapshot: "s\(random.below(8))",
                redo: LSN(UInt64(random.below(60)) << 18),
                needsWAL: random.below(2) == 0
            )
        }
        let inventory = RetentionInventory(
            snapshots: snapshots,
            clones: clones,
            standbyRedo: random.below(10) == 0 ? nil : LSN(UInt64(random.below(60)) << 18),
            segments: Self.segments(0..<UInt64(random.below(20))),
            segmentSize: Self.size
        )
        let minimum = 1 + random.below(3)
        let expire = PostgresTime(rawValue: Int64(random.below(40)))
        let plan = RetentionPlan(inventory: inventory, expire: expire, minimum: minimum)
        let deleted = Set(plan.snapshotsToDelete.map(\.name))
        let remaining = snapshots.filter { !deleted.contains($0.name) }

        // The model: a segment that anything left needs is never removed.
        let needed =
            remaining.map(\.redo) + clones.filter(\.needsWAL).map(\.redo) + [inventory.standbyRedo].compactMap { $0 }
        for segment in plan.segmentsToRemove {
            let end = Self.size.segmentEnd(of: segment.start(size: Self.size) ?? .invalid)
            #expect(needed.allSatisfy { $0 >= end })
        }
        #expect(remaining.filter(\.live).count >= min(minimum, snapshots.filter(\.live).count))
        #expect(plan.snapshotsToDelete.allSatisfy { $0.createdAt < expire })
        // A moment after the expiry date that could be reached before can be reached after.
        for moment in expire.rawValue..<expire.rawValue + 50 {
            func reaches(_ snapshot: SnapshotRecord) -> Bool {
                snapshot.live && max(snapshot.createdAt, snapshot.earliestTarget).rawValue < moment
            }
            #expect(snapshots.contains(where: reaches) == remaining.contains(where: reaches))
        }
        for clone in clones where clone.needsWAL { #expect(!deleted.contains(clone.snapshot)) }
        #expect(Set(plan.kept.map(\.snapshot)).isDisjoint(with: deleted))
    }
}

/// The same numbers for the same seed (SplitMix64).
struct SeededRandom {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func below(_ limit: Int) -> Int {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return Int((mixed ^ (mixed >> 31)) % UInt64(limit))
    }
}
