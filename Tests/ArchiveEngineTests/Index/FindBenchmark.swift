import ArchiveEngine
import ArchiveModel
import ArchiveTesting
import Foundation
import Glibc
import Platform
import Testing
import WALFormat
import WALStore

/// A week of WAL for `bench/run find`: rows of an index before a container's real WAL, with files that nobody reads.
///
/// Without a container it makes a small one, and looks whether all is found.
@Suite("A week of events")
struct FindBenchmark {
    @Test func week() throws {
        let environment = ProcessInfo.processInfo.environment
        guard let path = environment["PGARCHIVE_BENCH_CONTAINER"] else {
            return try TestDirectory.with { directory in
                let container = try ContainerFixture.container(in: directory)
                try FileTree.makeDirectory(container.paths.walArchive)
                let week = Week(container: container, first: 100, count: 300, database: 5, files: [16_400, 16_401])
                try week.fill()
                try expectAll(container, week)
                // Nothing changes when it is noted which have their names.
                let index = try IndexDatabase(container.paths.index)
                while try index.noteNames() {}
                try expectAll(container, week)
            }
        }
        let container = try Container.open(path)
        let files = (environment["PGARCHIVE_BENCH_FILES"] ?? "").split(separator: ",").compactMap { UInt32($0) }
        let database = UInt32(environment["PGARCHIVE_BENCH_DATABASE"] ?? "") ?? 5
        let real = try #require(
            try container.walDirectory.list().segments.first?.name.number(size: container.segmentSize)
        )
        let count = min(BenchmarkSize.segments, real - 1)
        try Week(container: container, first: real - count, count: count, database: database, files: files).fill()
    }

    private func expectAll(_ container: Container, _ week: Week) throws {
        try ArchiveContents.use(container, for: "a test", say: { _ in }) { contents in
            func found(_ kinds: Set<String>, _ table: String? = nil, _ limit: Int? = nil) throws -> EventList {
                var filter = EventFilter()
                filter.kinds = kinds
                filter.table = table
                filter.limit = limit
                return try EventList.find(filter, in: contents)
            }
            #expect(try found(["mass-delete"]).events.count == 900)
            #expect(try found(["mass-update"]).events.count == 600)
            let made = try found(["drop"], "made_3")
            #expect(made.events.map(\.objects) == [["public.made_3"]])
            #expect(made.unnamed.count == 10, "those without a name may be it")
            #expect(made.unnamed.map(\.start) == made.unnamed.map(\.start).sorted())
            let some = try found(["drop"], "made_*", 5)
            #expect(some.events.count == 5 && some.hasMore)
            #expect(some.unnamed.count == 3, "those behind the ones that the limit leaves out")
            #expect(try found(["mass-delete"], "public.table_1").events.count == 450)
            let newest = try found(["mass-delete"], "TABLE_0", 3)
            #expect(newest.hasMore && newest.events.map(\.event.start) == newest.events.map(\.event.start).sorted())
            var filter = EventFilter()
            filter.since = week.time(390)
            let late = try EventList.find(filter, in: contents).events
            #expect(late.count >= 50 && late.allSatisfy { $0.event.start >= week.start(389) })
            filter.since = week.time(380)
            filter.kinds = ["drop"]
            filter.table = "made_1"
            #expect(try EventList.find(filter, in: contents).unnamed.count == 1, "only those of the time may be it")
            filter.table = nil
            filter.kinds = nil
            filter.since = nil
            filter.transactionID = week.id(253)
            #expect(try EventList.find(filter, in: contents).events.count == 6)
        }
    }

    @Test("a transaction that did the same to many tables without names is one moment to look at")
    func alike() throws {
        try TestDirectory.with { directory in
            let container = try ContainerFixture.container(in: directory)
            try FileTree.makeDirectory(container.paths.walArchive)
            let week = Week(container: container, first: 100, count: 3, database: 5, files: [])
            try week.fill()
            let index = try IndexDatabase(container.paths.index)
            func unnamed() throws -> [UnnamedEvent] {
                try ArchiveContents.use(container, for: "a test", say: { _ in }) { contents in
                    var filter = EventFilter()
                    filter.kinds = ["mass-delete"]
                    filter.table = "orders"
                    return try EventList.find(filter, in: contents).unnamed
                }
            }
            try index.database.transaction { try index.insert(week.alike(101, files: 20_000..<20_300)) }
            #expect(try unnamed().map(\.start) == [week.start(101).advanced(by: 128)])
            while try index.noteNames() {}
            #expect(try unnamed().map(\.start) == [week.start(101).advanced(by: 128)])
        }
    }

    @Test("an index that is damaged is put away by who only wants to look")
    func damaged() throws {
        try TestDirectory.with { directory in
            let container = try ContainerFixture.container(in: directory)
            try FileTree.makeDirectory(container.paths.walArchive)
            let week = Week(container: container, first: 100, count: 3, database: 5, files: [])
            try week.fill()
            try FileTree.replace(container.paths.index, text: String(repeating: "no database ", count: 1000))
            var said: [String] = []
            let count = try ArchiveContents.use(container, for: "a test", glance: true, say: { said.append($0) }) {
                try $0.index.extent().segments
            }
            #expect(count == 3)
            #expect(said.count == 1 && said.first?.contains("is built anew") == true, "\(said)")
            #expect(FileTree.exists("\(container.paths.index).damaged"))
        }
    }
}

private struct Week {
    let container: Container
    let first: UInt64
    let count: UInt64
    let database: UInt32
    /// Of tables in which rows are deleted and updated.
    let files: [UInt32]
    private let end = Int64(Date().timeIntervalSince1970 - 946_684_800) - 3600

    init(container: Container, first: UInt64, count: UInt64, database: UInt32, files: [UInt32]) {
        self.container = container
        self.first = first
        self.count = count
        self.database = database
        self.files = files
    }

    func start(_ number: UInt64) -> LSN { container.segmentSize.start(of: number) }
    /// A segment in fifteen seconds.
    func time(_ number: UInt64) -> PostgresTime {
        PostgresTime(rawValue: (end - Int64(first + count - number) * 15) * 1_000_000)
    }
    func id(_ number: UInt64) -> UInt32 { UInt32(truncatingIfNeeded: 1000 + (number - first) * 20) }

    func fill() throws {
        try FileTree.makeDirectory(container.paths.run, mode: 0o700)
        let index = try IndexDatabase(container.paths.index)
        let owner = try FileTree.status(container.paths.walArchive)
        for batch in stride(from: first, to: first + count, by: 1000) {
            try index.database.transaction {
                for number in batch..<min(batch + 1000, first + count) {
                    let name = SegmentName(timeline: TimelineID(1), number: number, size: container.segmentSize)
                    let path = "\(container.paths.walArchive)/\(name).zst"
                    close(open(path, O_WRONLY | O_CREAT, 0o600))
                    chown(path, owner.uid, owner.gid)
                    try index.insert(segment(number, name))
                }
            }
        }
        try index.database.transaction {
            for (number, file) in files.enumerated() where database == 5 {
                try index.insert(name(file, "table_\(number)", from: start(first), to: nil))
            }
            for number in first..<first + count where number % 10 == 3 && (number - first) / 10 % 3 != 1 {
                try index.insert(
                    name(made(number), "made_\((number - first) / 10)", from: start(number), to: start(number + 1))
                )
            }
        }
    }

    private func made(_ number: UInt64) -> UInt32 { UInt32(truncatingIfNeeded: 1_000_000 + number) }

    private func name(_ file: UInt32, _ name: String, from: LSN, to: LSN?) -> KnownName {
        KnownName(
            database: database,
            relation: file,
            file: file,
            schema: "public",
            name: name,
            kind: .table,
            seenFrom: from,
            seenTo: to
        )
    }

    private func segment(_ number: UInt64, _ name: SegmentName) throws -> IndexedSegment {
        let start = start(number)
        var summary = SegmentSummary(segment: name, end: start.advanced(by: container.segmentSize.bytes))
        summary.records = 1
        summary.firstRecord = start.advanced(by: 40)
        summary.commits = 6
        summary.earliestTime = time(number)
        summary.latestTime = time(number)
        summary.lowestTransactionID = id(number)
        summary.highestTransactionID = id(number)
        summary.lastCommit = .init(
            time: time(number),
            transactionID: id(number),
            start: start.advanced(by: 4096),
            end: start.advanced(by: 4136)
        )
        let stored = try container.walDirectory.locate(name, completeOnly: true)
        return IndexedSegment(number: number, file: stored, summary: summary, events: events(number))
    }

    /// Rows of many tables were deleted by one transaction.
    func alike(_ number: UInt64, files: Range<UInt32>) throws -> IndexedSegment {
        let name = SegmentName(timeline: TimelineID(1), number: number, size: container.segmentSize)
        var segment = try segment(number, name)
        segment.events = files.map { file in
            SurveyEvent(
                start: start(number).advanced(by: 128),
                end: start(number).advanced(by: 192),
                timeline: TimelineID(1),
                time: time(number),
                transactionID: id(number),
                database: database,
                kind: .massDelete(relation: relation(file), rows: 200)
            )
        }
        return segment
    }

    private func events(_ number: UInt64) -> [SurveyEvent] {
        var kinds: [SurveyEvent.Kind] =
            files.isEmpty
            ? []
            : (0..<5).map { place in
                let file = relation(files[(Int(number) * 5 + place) % files.count])
                return place < 3
                    ? .massDelete(relation: file, rows: 100 + UInt64(place)) : .massUpdate(relation: file, rows: 500)
            }
        if number % 10 == 3 {
            let file = made(number)
            kinds.append(.drop(.init(removed: [relation(file)], dropped: [file], locked: [file], created: [])))
        } else {
            kinds.append(
                number % 100 == 0
                    ? .restorePoint(name: "point \(number)") : .checkpoint(redo: start(number), isShutdown: false)
            )
        }
        return kinds.enumerated().map { place, kind in
            SurveyEvent(
                start: start(number).advanced(by: 128 * UInt64(place + 1)),
                end: start(number).advanced(by: 128 * UInt64(place + 1) + 64),
                timeline: TimelineID(1),
                time: time(number),
                transactionID: id(number),
                database: database,
                kind: kind
            )
        }
    }

    private func relation(_ file: UInt32) -> RelationFile {
        RelationFile(tablespace: 1663, database: database, number: file)
    }
}
