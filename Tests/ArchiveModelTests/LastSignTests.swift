import ArchiveModel
import Testing
import WALFormat

@Suite("Where an expiry date is measured from")
struct LastSignTests {
    private static let now = PostgresTime(unixMicroseconds: 1_800_000_000_000_000)
    private static let weekAgo = hoursAgo(168)

    private static func hoursAgo(_ hours: Double) -> PostgresTime {
        PostgresTime(rawValue: now.rawValue - Int64(hours * 3_600_000_000))
    }

    private static func sign(
        _ state: ReceiverStatus.State = .streaming,
        updated: Double = 0,
        heard: Double?,
        clock: Double?,
        commit: Double? = nil
    ) -> LastSign {
        var status = ReceiverStatus(processID: 7, updatedAt: hoursAgo(updated))
        status.state = state
        status.heardAt = heard.map(hoursAgo)
        status.heartbeatClock = clock.map(hoursAgo)
        return LastSign(receiver: status, lastCommit: commit.map(hoursAgo), now: now)
    }

    @Test("a date stays as it is while WAL is received, and goes back by the silence afterwards")
    func measured() {
        #expect(Self.sign(heard: 0, clock: 0).measured(Self.weekAgo, now: Self.now) == Self.weekAgo)
        #expect(Self.sign(heard: 0.5, clock: 0.9).measured(Self.weekAgo, now: Self.now) == Self.weekAgo)
        // The upstream's clock is ahead of ours.
        #expect(Self.sign(heard: 0, clock: -30).measured(Self.weekAgo, now: Self.now) == Self.weekAgo)
        #expect(
            Self.sign(.retrying, heard: 200, clock: 200).measured(Self.weekAgo, now: Self.now) == Self.hoursAgo(368)
        )
        #expect(Self.sign(.stopped, heard: 2, clock: 2).measured(Self.weekAgo, now: Self.now) == Self.hoursAgo(170))
    }

    @Test("an upstream that answers and sends nothing is no sign")
    func gap() {
        #expect(Self.sign(.gap, heard: 0, clock: 50) == .at(Self.hoursAgo(50)))
        // The receiver was started anew since.
        #expect(Self.sign(.gap, heard: 0, clock: nil, commit: 60) == .at(Self.hoursAgo(60)))
        #expect(Self.sign(.connecting, heard: nil, clock: nil, commit: 70) == .at(Self.hoursAgo(70)))
    }

    @Test("nothing expires where nothing tells of the upstream")
    func unknown() {
        for sign in [
            Self.sign(heard: nil, clock: nil), LastSign(receiver: nil, lastCommit: nil, now: Self.now),
        ] {
            #expect(sign == .unknown)
            #expect(sign.measured(Self.weekAgo, now: Self.now) == PostgresTime(rawValue: .min))
        }
    }

    @Test("a full disk is emptied, as long as there is a receiver that waits for it")
    func fullDisk() {
        #expect(Self.sign(.diskFull, heard: 50, clock: 50).measured(Self.weekAgo, now: Self.now) == Self.weekAgo)
        #expect(Self.sign(.diskFull, updated: 49, heard: 50, clock: 50) == .at(Self.hoursAgo(50)))
    }

    @Test("whatever the times are, there is a date", arguments: [Int64.min, -1, 0, 1, .max])
    func extremes(_ value: Int64) {
        for other in [Int64.min, 0, .max] {
            let sign = LastSign(receiver: nil, lastCommit: PostgresTime(rawValue: value), now: Self.now)
            let date = PostgresTime(rawValue: other)
            #expect(sign.measured(date, now: Self.now) <= date)
        }
    }

    /// A week of hourly cron runs after the upstream's end leaves what there was before it.
    @Test func aDeadUpstreamKeepsItsPast() {
        let end: Int64 = 400
        func time(_ hour: Int64) -> PostgresTime { PostgresTime(rawValue: hour * 3_600_000_000) }
        var snapshots: [SnapshotRecord] = []
        for hour in 0..<end + 400 {
            let last = time(min(hour, end))
            var status = ReceiverStatus(processID: 7, updatedAt: time(hour))
            status.heardAt = last
            status.heartbeatClock = last
            let date = LastSign(receiver: status, lastCommit: nil, now: time(hour))
                .measured(time(hour - 168), now: time(hour))
            let inventory = RetentionInventory(
                snapshots: snapshots,
                clones: [],
                standbyRedo: LSN(UInt64(min(hour, end)) << 20),
                segments: [],
                segmentSize: .standard
            )
            let gone = RetentionPlan(inventory: inventory, expire: date, minimum: 2).snapshotsToDelete.map(\.name)
            snapshots.removeAll { gone.contains($0.name) }
            guard hour <= end else { continue }
            let position = LSN(UInt64(hour) << 20)
            snapshots.append(
                SnapshotRecord(
                    name: "s\(hour)",
                    createdAt: time(hour),
                    timeline: TimelineID(1),
                    redo: position,
                    consistent: position,
                    replayed: position,
                    lastTransactionTime: time(hour),
                    checkpointTime: time(hour),
                    driver: .btrfs,
                    live: true
                )
            )
        }
        #expect(snapshots.contains { $0.createdAt < time(end - 167) })
        #expect(snapshots.filter { $0.createdAt >= time(end - 168) }.count == 169)
    }
}
