import ArchiveModel
import ArchiveTesting
import Foundation
import Testing
import WALFormat
import WALStore

@Suite(.enabled(if: TestEnvironment.hasPostgres, TestEnvironment.noPostgres))
struct WALWalkTests {
    private let path = TimelinePath(TimelineID(1))

    private func walk(_ copy: ArchiveCopy, from: LSN? = nil, upTo: LSN? = nil) throws -> ([LSN], WalkEnd) {
        var starts: [LSN] = []
        let end = try WALWalk(copy.archive).records(from: from ?? copy.original.start, along: path, upTo: upTo) {
            record,
            timeline,
            _,
            _ in
            #expect(timeline == TimelineID(1))
            starts.append(record.start)
            return .proceed
        }
        return (starts, end)
    }

    @Test func seesWhatPgWaldumpSees() throws {
        let archive = try RealArchive.shared.get()
        let dump = try TestCommand(
            try TestEnvironment.postgresProgram("pg_waldump"),
            ["-p", archive.copies, "-s", archive.start.description, archive.name(of: archive.start).description]
        ).run()
        // It ends where the segment ends that it was given.
        let wanted = dump.lines.compactMap { line -> LSN? in
            let words = line.split(separator: " ")
            guard let at = words.firstIndex(of: "lsn:") else { return nil }
            return LSN(String(words[at + 1].dropLast()))
        }
        #expect(wanted.count > 2)
        #expect(archive.records.prefix(wanted.count).map(\.start) == wanted)
    }

    @Test func compressedAndPlainSegmentsReadAlike() throws {
        try ArchiveCopy.with { copy in
            for (index, segment) in try copy.archive.list().segments.enumerated() where index % 2 == 0 {
                let (before, after) = try copy.archive.compress(segment.name)
                #expect(before == 1 << 20)
                #expect(after < before)
            }
            let (starts, end) = try walk(copy)
            #expect(starts == copy.original.records.map(\.start))
            guard case .endOfArchive = end else {
                Issue.record("ended with \(end)")
                return
            }
        }
    }

    @Test func goesIntoThePartialSegmentAsFarAsItIsValid() throws {
        try ArchiveCopy.with { copy in
            // The segment with the many small commits, cut in the middle of a record.
            let cut = try #require(
                copy.original.records.last { $0.totalLength > 100 && $0.start < copy.original.tablespace.start }
            )
            let name = copy.original.name(of: cut.start)
            var bytes = try copy.original.bytes(of: name)
            bytes.removeSubrange((Int(cut.start.rawValue & 0xF_FFFF) + 40)...)
            for segment in try copy.archive.list().segments where segment.name.description >= name.description {
                try copy.archive.remove(segment)
            }
            for padding in [0, 100_000] {
                let padded = bytes + Data(count: min(padding, (1 << 20) - bytes.count))
                try SpoiltFile.write(padded, to: copy.file("\(name).partial"))
                let (starts, end) = try walk(copy)
                #expect(starts == copy.original.records.map(\.start).filter { $0 < cut.start })
                guard case .endOfArchive(let recordEnd, _, _) = end else {
                    Issue.record("ended with \(end)")
                    return
                }
                #expect(recordEnd == cut.start)
            }
        }
    }

    @Test func stopsWhereItIsTold() throws {
        try ArchiveCopy.with { copy in
            let records = copy.original.records
            for index in stride(from: 10, to: records.count, by: records.count / 37) {
                let (starts, end) = try walk(copy, upTo: records[index].start)
                #expect(end == .reached)
                // A switch record ends with its segment, before the next record.
                #expect(starts == records[..<index].map(\.start))
            }
            var seen = 0
            let end = try WALWalk(copy.archive).records(from: records[7].start, along: path) { record, _, _, _ in
                #expect(record.start == records[7 + seen].start)
                seen += 1
                return seen == 5 ? .stop : .proceed
            }
            #expect(end == .stopped)
            #expect(seen == 5)
        }
    }

    @Test func aGapIsNotTheEnd() throws {
        try ArchiveCopy.with { copy in
            let segments = try copy.archive.list().segments.filter {
                $0.name.description > copy.original.name(of: copy.original.start).description
            }
            try copy.archive.remove(segments[1].name)
            #expect(try walk(copy).1 == .missing(segments[1].name))
        }
    }

    @Test func damageIsNotTheEnd() throws {
        try ArchiveCopy.with { copy in
            let record = try #require(copy.original.records.dropFirst(100).first { $0.totalLength > 200 })
            let name = copy.original.name(of: record.start)
            try copy.flip(name, at: Int(record.start.rawValue & 0xF_FFFF) + 60)
            let (starts, end) = try walk(copy)
            #expect(starts.last.map { $0 < record.start } == true)
            guard case .corrupt(let fault, let segment) = end else {
                Issue.record("ended with \(end)")
                return
            }
            #expect(segment == name)
            #expect(fault.position == record.start)
        }
    }

    @Test func aShortSegmentIsDamage() throws {
        try ArchiveCopy.with { copy in
            let name = copy.original.name(of: copy.original.records[3000].start)
            try SpoiltFile.write(try copy.original.bytes(of: name).prefix(500_000), to: copy.file(name.description))
            guard case .corrupt(_, name) = try walk(copy).1 else {
                Issue.record("a short segment was taken for a whole one")
                return
            }
        }
    }
}
