@testable import ArchiveModel
import Testing
import WALFormat

@Suite("What a recovery begins with")
struct RecoverySourceTests {
    private static let parameters = HotStandbyParameters(
        maxConnections: 100,
        maxWorkerProcesses: 8,
        maxWALSenders: 10,
        maxPreparedTransactions: 0,
        maxLocksPerTransaction: 64
    )

    private static let snapshot = SnapshotRecord(
        name: "s1",
        createdAt: PostgresTime(rawValue: 1),
        timeline: TimelineID(1),
        redo: LSN(1000),
        consistent: LSN(1100),
        replayed: LSN(2000),
        lastTransactionTime: nil,
        checkpointTime: PostgresTime(rawValue: 0),
        driver: .btrfs,
        live: true
    )

    private static func plan(to stop: UInt64, path: TimelinePath = TimelinePath(TimelineID(1))) -> RestorePlan {
        // A rule that has read nothing stops where it begins.
        let rule = StopRule(target: .latest, start: LSN(stop), floor: LSN(1100))
        return RestorePlan(
            TargetSearch.Found(snapshot: snapshot, rule: rule, readFrom: LSN(1000)),
            path: path,
            parameters: parameters,
            warnings: [],
            targetTime: nil,
            rate: .assumed
        )
    }

    private static func look(
        _ name: String,
        at stop: UInt64,
        state: CloneRecord.State = .held,
        path: TimelinePath = TimelinePath(TimelineID(1)),
        parameters: HotStandbyParameters = parameters,
        isLook: Bool = true
    ) -> CloneRecord {
        var record = CloneRecord(
            name: name,
            snapshot: "s1",
            createdAt: PostgresTime(rawValue: 2),
            state: state,
            port: 5500,
            requested: "",
            redo: LSN(1000),
            path: path,
            stop: LSN(stop),
            lastTransactionTime: nil,
            parameters: parameters
        )
        if isLook { record.keptUntil = PostgresTime(rawValue: 3) }
        return record
    }

    @Test("the look that is nearest before the stop goes on")
    func nearest() {
        let looks = [Self.look("a", at: 1500), Self.look("b", at: 2500), Self.look("c", at: 3500)]
        #expect(Self.plan(to: 3000).source(looks: looks) == .look("b", at: LSN(2500)))
        #expect(Self.plan(to: 3500).source(looks: looks) == .look("c", at: LSN(3500)))
        #expect(Self.plan(to: 3000).source(looks: looks).debtBytes(to: LSN(3000)) == 500)
    }

    @Test("what has left the way, or never was on it, does not")
    func unfit() {
        var more = Self.parameters
        more.maxConnections = 50
        let other = TimelinePath(ancestors: [(TimelineID(1), LSN(2100))], timeline: TimelineID(2))
        let unfit = [
            // Later; promoted; on its way; elsewhere; too small for what is to come; somebody's clone.
            Self.look("later", at: 3001), Self.look("promoted", at: 2000, state: .recovered),
            Self.look("made", at: 2000, state: .created), Self.look("elsewhere", at: 2000, path: other),
            Self.look("small", at: 2000, parameters: more), Self.look("mine", at: 2000, isLook: false),
            // From the snapshot there is less to replay.
            Self.look("old", at: 999),
        ]
        #expect(Self.plan(to: 3000).source(looks: unfit) == .snapshot("s1", redo: LSN(1000)))
        #expect(Self.plan(to: 3000).source(looks: []) == .snapshot("s1", redo: LSN(1000)))
        // One that had to be promoted is shared, and goes nowhere.
        let promoted = [Self.look("promoted", at: 2000, state: .recovered)]
        #expect(Self.plan(to: 2000).source(looks: promoted) == .look("promoted", at: LSN(2000)))
    }

    @Test("an image serves its own moment and no other")
    func image() {
        let own = Self.plan(to: 2000)
        let image = ReadyImage(plan: own, timeline: TimelineID(2), madeAt: PostgresTime(rawValue: 9), isAskedFor: false)
        #expect(own.source(image: image) == .image(of: "s1", at: LSN(2000)))
        #expect(own.source(image: nil) == .snapshot("s1", redo: LSN(1000)))
        for stop: UInt64 in [1999, 2001, 3000] {
            #expect(Self.plan(to: stop).source(image: image) == .snapshot("s1", redo: LSN(1000)))
        }
        // Who only looks takes it too, unless a look is there already.
        let short = Self.look("short", at: 1900)
        #expect(own.source(looks: [short], image: image) == .image(of: "s1", at: LSN(2000)))
        #expect(own.source(looks: [Self.look("own", at: 2000)], image: image) == .look("own", at: LSN(2000)))
        #expect(Self.plan(to: 2100).source(looks: [short], image: image) == .look("short", at: LSN(1900)))
    }

    @Test("the newest usable snapshots get an image; older ones keep theirs until one is there, or if asked for")
    func keeping() {
        func snapshot(_ name: String, _ at: Int64, live: Bool = true) -> SnapshotRecord {
            var record = Self.snapshot
            record.name = name
            record.createdAt = PostgresTime(rawValue: at)
            record.live = live
            return record
        }
        func image(_ name: String, isAskedFor: Bool = false) -> ReadyImage {
            var plan = Self.plan(to: 2000)
            plan.snapshot = name
            return ReadyImage(
                plan: plan,
                timeline: TimelineID(2),
                madeAt: PostgresTime(rawValue: 9),
                isAskedFor: isAskedFor
            )
        }
        func plan(_ images: [String: ReadyImage], count: Int = 1, settled: Int64 = 100) -> ReadyPlan {
            ReadyPlan(
                snapshots: [
                    snapshot("a", 1), snapshot("b", 2), snapshot("c", 3), snapshot("forced", 4, live: false),
                ],
                images: images,
                count: count,
                settled: PostgresTime(rawValue: settled)
            )
        }
        #expect(plan([:]).make == ["c"])
        #expect(plan([:], count: 2).make == ["c", "b"])
        // Just taken.
        #expect(plan([:], settled: 2).make.isEmpty)
        #expect(plan(["b": image("b")]).remove.isEmpty)
        #expect(plan(["b": image("b"), "c": image("c")]).remove == ["b"])
        #expect(plan(["b": image("b", isAskedFor: true), "c": image("c")]).remove.isEmpty)
        #expect(plan(["b": image("b")], count: 0).remove == ["b"])
        #expect(plan(["b": image("b")], count: 0).make.isEmpty)
    }
}
