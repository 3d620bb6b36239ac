import ArchiveModel
import Testing
import WALFormat

@Suite("The recovery window")
struct WindowTests {
    private static let size = SegmentSize(bytes: 1 << 20) ?? .standard

    /// Positions are counted in quarters of a segment.
    private static func at(_ quarters: Int) -> LSN { LSN(UInt64(quarters) << 18) }

    private static func snapshot(
        _ name: String,
        _ redo: Int,
        _ consistent: Int,
        timeline: UInt32 = 1
    ) -> SnapshotRecord {
        SnapshotRecord(
            name: name,
            createdAt: PostgresTime(rawValue: 0),
            timeline: TimelineID(timeline),
            redo: at(redo),
            consistent: at(consistent),
            replayed: at(consistent),
            lastTransactionTime: nil,
            checkpointTime: PostgresTime(rawValue: 0),
            driver: .copy,
            live: true
        )
    }

    @Test("from the oldest snapshot to the end of WAL")
    func plain() {
        var wal = ReadableWAL(segmentSize: Self.size)
        for number in 1...5 as ClosedRange<UInt64> { wal.add(number, of: TimelineID(1)) }
        wal.add(6, of: TimelineID(1), readable: Self.at(25))
        let window = WindowInventory(
            snapshots: [Self.snapshot("a", 6, 7), Self.snapshot("b", 16, 16)],
            paths: [TimelineID(1): TimelinePath(TimelineID(1))],
            wal: wal
        ).window
        #expect(window.timelines.first?.intervals.map(\.start) == [Self.at(7)])
        #expect(window.timelines.first?.intervals.map(\.end) == [Self.at(25)])
        #expect(window.timelines.first?.gaps == [])
    }

    @Test("a hole is shown as a gap up to the next snapshot, with its segments")
    func hole() throws {
        var wal = ReadableWAL(segmentSize: Self.size)
        for number in [1, 2, 5, 6, 7] as [UInt64] { wal.add(number, of: TimelineID(1)) }
        let window = WindowInventory(
            snapshots: [Self.snapshot("a", 4, 5), Self.snapshot("b", 21, 23)],
            paths: [TimelineID(1): TimelinePath(TimelineID(1))],
            wal: wal
        ).window
        let timeline = try #require(window.timelines.first)
        #expect(
            timeline.intervals.map { [$0.start, $0.end] } == [[Self.at(5), Self.at(12)], [Self.at(23), Self.at(32)]]
        )
        let gap = try #require(timeline.gaps.first)
        #expect(gap.start == Self.at(12) && gap.end == Self.at(23))
        #expect(
            gap.cause == "segments 000000010000000000000003 to 000000010000000000000004 are missing; "
                + "snapshot 'b' is the first after it"
        )
    }

    @Test("damage at the end, and WAL that no snapshot leads to, are gaps")
    func damage() throws {
        var wal = ReadableWAL(segmentSize: Self.size)
        wal.add(1, of: TimelineID(1))
        wal.add(2, of: TimelineID(1), readable: Self.at(9), damage: "record 0/240000 has a wrong checksum")
        wal.add(3, of: TimelineID(1))
        let paths = [TimelineID(1): TimelinePath(TimelineID(1))]
        let reached = WindowInventory(snapshots: [Self.snapshot("a", 4, 5)], paths: paths, wal: wal).window
        let gap = try #require(reached.timelines.first?.gaps.first)
        #expect(gap.start == Self.at(9) && gap.end == Self.at(16))
        #expect(gap.cause.contains("000000010000000000000002 is damaged: record 0/240000"))
        let none = WindowInventory(snapshots: [], paths: paths, wal: wal).window
        #expect(none.timelines.first?.intervals == [])
        #expect(none.timelines.first?.gaps.map(\.cause) == ["no snapshot leads there"])
    }

    @Test("a child's window begins where it forked off, also in the middle of a segment that only it has")
    func timelines() throws {
        var wal = ReadableWAL(segmentSize: Self.size)
        wal.add(1, of: TimelineID(1))
        wal.add(2, of: TimelineID(1), readable: Self.at(11))
        wal.add(2, of: TimelineID(2))
        wal.add(3, of: TimelineID(2), readable: Self.at(13))
        let child = try #require(TimelinePath("1@0/280000,2"))
        let window = WindowInventory(
            snapshots: [Self.snapshot("a", 4, 5)],
            paths: [TimelineID(1): TimelinePath(TimelineID(1)), TimelineID(2): child],
            wal: wal
        ).window
        #expect(window.timelines.map(\.beginning) == [.invalid, Self.at(10)])
        #expect(window.timelines.flatMap(\.intervals).map(\.end) == [Self.at(11), Self.at(13)])
        #expect(window.timelines.flatMap(\.intervals).map(\.start) == [Self.at(5), Self.at(10)])
        #expect(window.timelines.allSatisfy { $0.gaps.isEmpty })
    }

    @Test("nothing beyond a record that must not be replayed is promised")
    func barrier() throws {
        var wal = ReadableWAL(segmentSize: Self.size)
        for number in 1...4 as ClosedRange<UInt64> { wal.add(number, of: TimelineID(1)) }
        let window = WindowInventory(
            snapshots: [Self.snapshot("a", 4, 5), Self.snapshot("b", 14, 15)],
            paths: [TimelineID(1): TimelinePath(TimelineID(1))],
            wal: wal,
            barriers: [.init(timeline: TimelineID(1), position: Self.at(9), what: "a tablespace is created")]
        ).window
        let timeline = try #require(window.timelines.first)
        #expect(timeline.intervals.map(\.end) == [Self.at(9), Self.at(20)])
        #expect(timeline.gaps.first?.cause.hasPrefix("a tablespace is created") == true)
    }

    @Test("what is recovered across a doubtful record is told, up to a snapshot that was taken later")
    func doubtful() throws {
        var wal = ReadableWAL(segmentSize: Self.size)
        for number in 1...6 as ClosedRange<UInt64> { wal.add(number, of: TimelineID(1)) }
        let window = { (snapshots: [SnapshotRecord]) in
            WindowInventory(
                snapshots: snapshots,
                paths: [TimelineID(1): TimelinePath(TimelineID(1))],
                wal: wal,
                doubts: [.init(timeline: TimelineID(1), position: Self.at(9), what: "no full pages")]
            ).window
        }
        let first = Self.snapshot("a", 4, 5)
        let during = Self.snapshot("b", 7, 11)
        let later = Self.snapshot("c", 14, 15)
        let all = try #require(window([first, during, later]).timelines.first?.doubtful)
        #expect(all == [.init(start: Self.at(9), end: Self.at(15), cause: "no full pages")])
        #expect(window([first]).timelines.first?.doubtful.map(\.end) == [Self.at(28)])
        #expect(window([later]).timelines.first?.doubtful == [])
    }

    // MARK: - Against a simple model

    /// A random archive: what each segment file holds, and who forked off where.
    private struct RandomArchive {
        /// Readable quarters of each segment; 4 is a whole one.
        var files: [TimelineID: [Int: Int]] = [:]
        var paths: [TimelineID: TimelinePath] = [:]
        var snapshots: [SnapshotRecord] = []

        init(_ random: inout some RandomNumberGenerator) {
            var ancestors: [(timeline: TimelineID, end: LSN)] = []
            var from = 1
            for id in 1...UInt32.random(in: 1...3, using: &random) {
                let timeline = TimelineID(id)
                paths[timeline] = TimelinePath(ancestors: ancestors, timeline: timeline)
                let last = from + Int.random(in: 1...6, using: &random)
                var own: [Int: Int] = [:]
                for number in from...last where Int.random(in: 0..<8, using: &random) > 0 {
                    own[number] =
                        Int.random(in: 0..<10, using: &random) == 0 ? Int.random(in: 0...3, using: &random) : 4
                }
                files[timeline] = own
                for _ in 0..<Int.random(in: 0...2, using: &random) {
                    let start = max(from * 4, ancestors.last.map { Int($0.end.rawValue >> 18) } ?? 4)
                    let redo = Int.random(in: start...(last * 4 + 3), using: &random)
                    snapshots.append(
                        WindowTests.snapshot(
                            "s\(snapshots.count)",
                            redo,
                            redo + Int.random(in: 1...4, using: &random),
                            timeline: id
                        )
                    )
                }
                let fork = Int.random(in: (from * 4 + 1)...(last * 4 + 3), using: &random)
                // A later fork only: history files say so.
                guard WindowTests.at(fork) > ancestors.last?.end ?? .invalid else { break }
                ancestors.append((timeline, WindowTests.at(fork)))
                from = fork / 4
            }
        }

        var wal: ReadableWAL {
            var wal = ReadableWAL(segmentSize: WindowTests.size)
            for (timeline, own) in files {
                for (number, quarters) in own.sorted(by: { $0.key < $1.key }) {
                    wal.add(
                        UInt64(number),
                        of: timeline,
                        readable: quarters == 4 ? nil : WindowTests.at(number * 4 + quarters)
                    )
                }
            }
            return wal
        }

        /// Whether one quarter can be read: from the newest timeline of the path that has the segment.
        func isReadable(_ quarter: Int, _ path: TimelinePath) -> Bool {
            let own = path.timeline(at: WindowTests.at(quarter))
            let last = path.timeline(at: LSN(WindowTests.at((quarter / 4 + 1) * 4).rawValue - 1))
            let having = path.legs.last { leg in
                leg.timeline >= own && leg.timeline <= last && files[leg.timeline]?[quarter / 4] != nil
            }
            guard let having, let quarters = files[having.timeline]?[quarter / 4] else { return false }
            return quarter % 4 < quarters
        }

        func isReachable(_ position: Int, on timeline: TimelineID) -> Bool {
            guard let path = paths[timeline] else { return false }
            return snapshots.contains { snapshot in
                let redo = Int(snapshot.redo.rawValue >> 18)
                let consistent = Int(snapshot.consistent.rawValue >> 18)
                guard path.contains(snapshot.timeline), consistent <= position,
                    path.timeline(at: LSN(snapshot.consistent.rawValue - 1)) == snapshot.timeline
                else { return false }
                return (redo..<position).allSatisfy { isReadable($0, path) }
            }
        }
    }

    @Test("a thousand random archives agree with reading quarter by quarter")
    func random() throws {
        var random = SystemRandomNumberGenerator()
        for _ in 0..<1_000 {
            let archive = RandomArchive(&random)
            let inventory = WindowInventory(snapshots: archive.snapshots, paths: archive.paths, wal: archive.wal)
            for timeline in inventory.window.timelines {
                let beginning = Int(timeline.beginning.rawValue >> 18)
                for position in (beginning + 1)..<90 {
                    let lies = timeline.intervals.contains {
                        $0.start <= Self.at(position) && Self.at(position) <= $0.end
                    }
                    let expected = archive.isReachable(position, on: timeline.timeline)
                    guard lies == expected else {
                        Issue.record("\(position) of timeline \(timeline.timeline): \(lies), in \(archive)")
                        return
                    }
                }
            }
        }
    }
}
