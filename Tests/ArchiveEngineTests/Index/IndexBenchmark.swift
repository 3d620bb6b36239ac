import ArchiveEngine
import ArchiveModel
import ArchiveTesting
import Foundation
import Testing
import WALFormat

/// Look-ups among many segments find the one.
///
/// `bench/run index` runs it with a million, 16 TB of WAL, and shows the times.
@Suite("Look-ups among many segments")
struct IndexBenchmark {
    @Test func lookups() throws {
        let count = BenchmarkSize.segments
        try TestDirectory.with { directory in
            let index = try IndexDatabase("\(directory.path)/index.sqlite")
            let filling = ContinuousClock().measure {
                try? index.database.transaction {
                    for number in 1...count {
                        // A second and fifty transactions each; the clock steps back a little now and then.
                        let second = Int64(number) - (number % 1000 == 500 ? 3 : 0)
                        let id = UInt32(truncatingIfNeeded: 1000 + number * 50)
                        let segment = IndexLookupTests.segment(
                            number,
                            times: second...second + 1,
                            ids: (id, id + 39)
                        )
                        try index.insert(segment)
                    }
                }
            }
            try #expect(index.numbers().values.map(\.count) == [Int(count)])
            let lookup = IndexLookup(index, size: IndexLookupTests.size)
            var random = SystemRandomNumberGenerator()
            var times: [String: [Duration]] = [:]
            for _ in 1...200 {
                let from = UInt64.random(in: 1...count, using: &random)
                let wanted = UInt64.random(in: from...count, using: &random)
                let id = UInt32(truncatingIfNeeded: 1000 + wanted * 50)
                let targets: [(String, IndexLookup.Wanted)] = [
                    ("time", .time(IndexLookupTests.time(Int64(wanted)), inclusive: true)),
                    ("transaction", .transaction(id + 7)), ("transaction that is nowhere", .transaction(id + 45)),
                    ("position", .position(IndexLookupTests.size.start(of: wanted))),
                ]
                for (name, target) in targets {
                    var found: SegmentName?
                    let time = try ContinuousClock().measure {
                        let stretches = try lookup.covered(
                            from: IndexLookupTests.size.start(of: from),
                            along: TimelinePath(TimelineID(1))
                        )
                        found = try lookup.first(target, in: stretches)
                    }
                    switch name {
                    case "time": #expect(found != nil)
                    case "transaction that is nowhere": #expect(found == nil)
                    default: #expect(found == IndexLookupTests.name(wanted))
                    }
                    times[name, default: []].append(time)
                }
            }
            print("bench: \(count) rows written in \(filling)")
            for (name, all) in times.sorted(by: { $0.key < $1.key }) {
                let sorted = all.sorted()
                print("bench: a \(name): median \(sorted[sorted.count / 2]), slowest \(sorted[sorted.count - 1])")
            }
        }
    }
}

enum BenchmarkSize {
    static let segments =
        ProcessInfo.processInfo.environment["PGARCHIVE_BENCH_SEGMENTS"].flatMap { UInt64($0) } ?? 2000
}
