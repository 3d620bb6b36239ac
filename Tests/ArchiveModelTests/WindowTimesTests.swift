import ArchiveModel
import ArchiveTesting
import Testing
import WALFormat

/// The moments that a window shows, against the search that a target is looked up with.
@Suite("The moments of the window")
struct WindowTimesTests {
    /// What each snapshot reaches, told as plainly as it can be; a gap where records are missing.
    private static func timeline(
        _ path: TimelinePath,
        _ records: [RandomArchive.Record],
        _ snapshots: [SnapshotRecord]
    ) -> Window.Timeline {
        var timeline = Window.Timeline(path)
        for snapshot in snapshots.sorted(by: { $0.consistent < $1.consistent }) {
            let way = records.drop { $0.record.start < snapshot.redo }
            let readable = way.prefix { !$0.isMissing }
            guard path.contains(snapshot.timeline), let end = readable.last?.record.end,
                path.timeline(at: LSN(snapshot.consistent.rawValue - 1)) == snapshot.timeline,
                end >= snapshot.consistent, end > timeline.beginning || snapshot.timeline == path.target
            else { continue }
            // What is in one stretch without a hole is one interval.
            if timeline.intervals.contains(where: { $0.end == end }) { continue }
            let start = max(snapshot.consistent, timeline.beginning)
            timeline.intervals.append(.init(start: start, end: end, snapshot: snapshot.name))
            guard readable.count < way.count else { continue }
            timeline.gaps.append(.init(start: end, end: end.advanced(by: 8), cause: "missing"))
        }
        return timeline
    }

    /// The latest end of a transaction between two positions.
    private static func newest(_ records: [RandomArchive.Record], _ from: LSN, _ upTo: LSN) -> PostgresTime? {
        records.filter { $0.record.start >= from && $0.record.end <= upTo }.compactMap { $0.event?.ended?.time }.max()
    }

    @Test("each moment from FROM to TO is found, however the clock was set", arguments: 0..<4)
    func reachable(_ part: Int) throws {
        var asked = 0
        var random = SeededGenerator(seed: UInt64(part))
        for number in 0..<1000 {
            let seed = UInt64(part * 1000 + number)
            let archive = RandomArchive(seed: seed)
            for (path, records) in archive.paths {
                let inventory = WindowInventory(
                    snapshots: archive.snapshots,
                    paths: [path.target: path],
                    wal: ReadableWAL(segmentSize: .standard)
                )
                var window = Window(timelines: [Self.timeline(path, records, archive.snapshots)])
                let clock = Self.clock(path, records, &random)
                inventory.setTimes(of: &window, clock: clock) { Self.newest(records, $1, $2) }
                for interval in window.timelines[0].intervals {
                    guard let from = interval.from, let to = interval.to else { continue }
                    let between = (0..<6).map { _ in Int64.random(in: from.rawValue...to.rawValue, using: &random) }
                    for time in [from.rawValue, to.rawValue] + between {
                        let search = TargetSearch(
                            .time(PostgresTime(rawValue: time)),
                            along: path,
                            snapshots: archive.snapshots,
                            clock: clock
                        )
                        #expect(throws: Never.self, "seed \(seed), \(path), \(interval), \(time)") {
                            try search.find(reading: RandomArchive.reading(records, path))
                        }
                        asked += 1
                    }
                }
            }
        }
        #expect(asked > 4000)
    }

    /// Where the clock is steady, no moment that can be reached is left out at an interval's end.
    @Test("a microsecond later than TO is refused, where the clock never stepped", arguments: 0..<2)
    func noMoreThanShown(_ part: Int) {
        var asked = 0
        for number in 0..<1000 {
            let seed = UInt64(part * 1000 + number)
            let archive = RandomArchive(seed: seed)
            guard archive.isMonotonic else { continue }
            for (path, records) in archive.paths {
                let inventory = WindowInventory(
                    snapshots: archive.snapshots,
                    paths: [path.target: path],
                    wal: ReadableWAL(segmentSize: .standard)
                )
                var window = Window(timelines: [Self.timeline(path, records, archive.snapshots)])
                inventory.setTimes(of: &window, clock: nil) { Self.newest(records, $1, $2) }
                guard let to = window.timelines[0].intervals.last?.to else { continue }
                let search = TargetSearch(
                    .time(PostgresTime(rawValue: to.rawValue + 1)),
                    along: path,
                    snapshots: archive.snapshots
                )
                #expect(throws: TargetRefusal.self, "seed \(seed), \(path), \(window)") {
                    try search.find(reading: RandomArchive.reading(records, path))
                }
                asked += 1
            }
        }
        #expect(asked > 100)
    }

    /// What the upstream said when all of the path was here, or none.
    private static func clock(
        _ path: TimelinePath,
        _ records: [RandomArchive.Record],
        _ random: inout SeededGenerator
    ) -> TargetSearch.Clock? {
        guard let last = records.last, Bool.random(using: &random) else { return nil }
        let time = records.compactMap { $0.event?.ended?.time.rawValue }.last ?? 1_000_000_000
        let offset = Int64.random(in: -2_000_000...4_000_000, using: &random)
        return .init(time: PostgresTime(rawValue: time + offset), end: last.record.end, timeline: path.target)
    }
}
