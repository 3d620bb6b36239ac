import ArchiveEngine
import ArchiveModel
import ArchiveTesting
import Foundation
import Synchronization
import Testing
import WALFormat
import WALStore

/// However the archive came to be as it is, the index says of it what one made anew says.
@Suite("Bringing the index up to the archive")
struct IndexingTests {
    private struct Indexed {
        let container: Container
        var archive: CraftedArchive

        @discardableResult
        func index(rebuild: Bool = false) throws -> Indexing.Outcome {
            try IndexUpkeep(container).run(rebuild: rebuild, say: { _ in }).outcome
        }

        /// All of it but which files were read.
        func rows() throws -> [String] {
            let database = try SQLiteDatabase(container.paths.index)
            let columns = try database.rows("SELECT name FROM pragma_table_info('segments')") { $0.text(0) ?? "" }
                .filter { !["form", "file_bytes", "modified", "inode"].contains($0) }
            return try database.rows(
                """
                SELECT json_array(\(columns.joined(separator: ","))) FROM segments
                UNION ALL SELECT json_array(timeline, start, ordinal, number, event) FROM events ORDER BY 1
                """
            ) { $0.text(0) ?? "" }
        }

        func faults() throws -> [UInt64] {
            try IndexDatabase(container.paths.index).doubtful().filter { $0.fault != nil }.map(\.number)
        }

        func expectAsRebuilt(_ comment: Comment, _ location: SourceLocation = #_sourceLocation) throws {
            let found = try rows()
            try index(rebuild: true)
            try #expect(found == rows(), comment, sourceLocation: location)
        }

        func bytes(_ name: some CustomStringConvertible) throws -> Data {
            try Data(contentsOf: URL(fileURLWithPath: archive.file(name)))
        }

        /// Changes a file as a failing disk does: nothing else of it changes.
        func rot(_ name: SegmentName, _ body: (inout Data) -> Void) throws {
            let path = archive.file(name)
            var data = try bytes(name)
            body(&data)
            var before = stat()
            #expect(stat(path, &before) == 0)
            let file = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
            try file.write(contentsOf: data)
            try file.close()
            #expect(utimensat(AT_FDCWD, path, [before.st_mtim, before.st_mtim], 0) == 0)
        }
    }

    private func with(segments: Int = 10, seed: UInt64 = 1, _ body: (inout Indexed) throws -> Void) throws {
        try TestDirectory.with { directory in
            let container = try ContainerFixture.container(in: directory, systemIdentifier: 0x5EED_0123_4567_89AB)
            var archive = try CraftedArchive(container.paths.walArchive, seed: seed)
            archive.grow(to: CraftedArchive.start.advanced(by: UInt64(segments) << 20))
            try archive.write()
            var indexed = Indexed(container: container, archive: archive)
            try indexed.index()
            try #expect(!indexed.rows().isEmpty)
            try body(&indexed)
        }
    }

    @Test("a hole that is filled, also across the borders at which the survey's state is kept")
    func filledHole() throws {
        try with(segments: 70) { indexed in
            for gone: ClosedRange<UInt64> in [3...3, 1...2, 57...60, 64...64] {
                let names = gone.map { indexed.archive.name(indexed.archive.first + $0) }
                let kept = try names.map { try indexed.bytes($0) }
                for name in names { try FileManager.default.removeItem(atPath: indexed.archive.file(name)) }
                try indexed.index()
                try indexed.expectAsRebuilt("without \(gone)")
                for (name, bytes) in zip(names, kept) {
                    try bytes.write(to: URL(fileURLWithPath: indexed.archive.file(name)))
                }
                try indexed.index()
                try indexed.expectAsRebuilt("\(gone)")
            }
        }
    }

    @Test("at random: files go, come back, rot, are replaced and compressed")
    func anything() throws {
        let seed = UInt64.random(in: 1...9999)
        try with(segments: 12, seed: seed) { indexed in
            var random = SeededNumbers(seed: seed)
            let archive = indexed.archive
            var done: [String] = []
            for _ in 0..<25 {
                for _ in 0..<Int.random(in: 1...3, using: &random) {
                    let number = archive.first + UInt64.random(in: 1..<11, using: &random)
                    let name = archive.name(number)
                    let path = archive.file(name)
                    let kind = Int.random(in: 0..<8, using: &random)
                    done.append("\(number): \(kind)")
                    switch kind {
                    case 0:
                        for form in StoredSegment.Form.complete {
                            try? FileManager.default.removeItem(atPath: path + form.suffix)
                        }
                    case 1 where FileManager.default.fileExists(atPath: path):
                        _ = try? indexed.container.walDirectory.compress(name)
                    case 2:
                        var content = Data(archive.content(number))
                        content[Bool.random(using: &random) ? 50 : 700_000] ^= 1
                        try content.write(to: URL(fileURLWithPath: path))
                    case 3: try archive.put("", "\(name)")
                    default: try Data(archive.content(number)).write(to: URL(fileURLWithPath: path))
                    }
                }
                try indexed.index()
                let found = try indexed.rows()
                try indexed.index(rebuild: true)
                // A segment that was compressed is taken for what it was compressed from.
                let rebuilt = try indexed.rows()
                #expect(
                    found.filter { !rebuilt.contains($0) } == rebuilt.filter { !found.contains($0) },
                    "seed \(seed): \(done)"
                )
                done.append("indexed")
            }
        }
    }

    @Test("another file in a segment's place is read, a compressed one is not")
    func replaced() throws {
        try with { indexed in
            let name = indexed.archive.name(indexed.archive.first + 3)
            try indexed.container.walDirectory.compress(name)
            try #expect(indexed.index().segmentsRead == 0)
            // Damaged, and repaired.
            let whole = try indexed.bytes("\(name).zst")
            try indexed.archive.change("\(name).zst") { $0.removeLast(100) }
            try indexed.index()
            try #expect(indexed.faults() == [indexed.archive.first + 3])
            try indexed.expectAsRebuilt("damaged")
            try SpoiltFile.write(whole, to: indexed.archive.file("\(name).zst"))
            try indexed.index()
            try #expect(indexed.faults().isEmpty)
            try indexed.expectAsRebuilt("repaired")
        }
    }

    @Test("what verify --deep finds is known to the index, and when it is right again, too")
    func verified() throws {
        try with { indexed in
            let name = indexed.archive.name(indexed.archive.first + 4)
            // In the end of a record of the segment before.
            try indexed.rot(name) { $0[50] ^= 1 }
            // Nothing shows it.
            try #expect(indexed.index().segmentsRead == 0)
            let report = try Verification(indexed.container).run(deep: true)
            #expect(!report.findings.isEmpty)
            try indexed.index()
            try #expect(indexed.faults().count == 1)
            try indexed.expectAsRebuilt("rotten")
            // What is known already is no reason to read it once more.
            _ = try Verification(indexed.container).run(deep: true)
            try #expect(indexed.index().segmentsRead == 0)

            try indexed.rot(name) { $0[50] ^= 1 }
            try #expect(Verification(indexed.container).run(deep: true).findings == [])
            try indexed.index()
            try #expect(indexed.faults().isEmpty)
            try indexed.expectAsRebuilt("readable again")

            // Found, and put right by another file.
            try indexed.rot(name) { $0[50] ^= 1 }
            _ = try Verification(indexed.container).run(deep: true)
            try indexed.index()
            try #expect(!indexed.faults().isEmpty)
            let whole = Data(indexed.archive.content(indexed.archive.first + 4))
            try whole.write(to: URL(fileURLWithPath: indexed.archive.file(name)))
            try indexed.index()
            try #expect(indexed.faults().isEmpty)
            try indexed.expectAsRebuilt("repaired")
        }
    }

    @Test("where the index cannot be told what verify --deep found, that is said")
    func unwritable() throws {
        try with { indexed in
            let text = String(repeating: "this is no database\n", count: 100)
            try Data(text.utf8).write(to: URL(fileURLWithPath: indexed.container.paths.index))
            let notes = Mutex<[String]>([])
            let progress = Progress { event in
                if case .note(let note) = event { notes.withLock { $0.append(note) } }
            }
            let report = try Verification(indexed.container).run(deep: true, progress: progress)
            #expect(report.findings.isEmpty)
            let said = notes.withLock { notes in notes.filter { $0.contains("the index could not be written") } }
            #expect(said.count == 1)
        }
    }

    @Test("a segment that cannot be opened is damage, and what is behind it is indexed")
    func unopenable() throws {
        try with { indexed in
            let number = indexed.archive.first + 2
            let name = indexed.archive.name(number)
            try FileManager.default.removeItem(atPath: indexed.archive.file(name))
            try indexed.archive.put("this is no zstd frame", "\(name).zst")
            try #expect(indexed.index().isComplete)
            try #expect(indexed.faults() == [number])
            try #expect(indexed.index().segmentsRead == 0, "once is enough")
            try #expect(IndexDatabase(indexed.container.paths.index).numbers().values.map(\.count) == [10])
            try indexed.expectAsRebuilt("unopenable")
        }
    }

    @Test("a file of a timeline from before its beginning is no part of it, and nothing is read for it")
    func beforeItsTimeline() throws {
        try with { indexed in
            let fork = indexed.archive.craft.position
            let size = indexed.archive.size
            indexed.archive.craft.timeline = TimelineID(2)
            indexed.archive.grow(to: fork.advanced(by: 4 << 20))
            try indexed.archive.write(from: size.number(of: fork))
            try indexed.archive.put("1\t\(fork)\tno recovery target specified\n", "00000002.history")
            try #expect(indexed.index().segmentsRead >= 4)
            let rows = try indexed.rows()
            try indexed.expectAsRebuilt("forked")

            let number = indexed.archive.first + 3
            let stray = indexed.archive.name(number)
            try Data(indexed.archive.content(number)).write(to: URL(fileURLWithPath: indexed.archive.file(stray)))
            for _ in 0..<2 {
                let outcome = try indexed.index()
                #expect(outcome.isComplete && outcome.segmentsRead == 0 && outcome.segmentsRemoved == 0)
            }
            try #expect(indexed.rows() == rows)
            try indexed.expectAsRebuilt("with a stray one")

            // Its row, from before the history was there, goes, and nothing is read again for that, either.
            let history = try indexed.bytes("00000002.history")
            try FileManager.default.removeItem(atPath: indexed.archive.file("00000002.history"))
            try indexed.index(rebuild: true)
            try #expect(indexed.rows() != rows)
            try history.write(to: URL(fileURLWithPath: indexed.archive.file("00000002.history")))
            try #expect(indexed.index().segmentsRemoved == 1)
            try #expect(indexed.index().segmentsRead == 0)
        }
    }

    @Test("the newest segment waits for the end of its last record, and is not read again and again meanwhile")
    func heldBack() throws {
        try with { indexed in
            // The end of its last record is not there.
            let last = indexed.archive.name(indexed.archive.last)
            let partial = try indexed.bytes("\(last).partial")
            try FileManager.default.removeItem(atPath: indexed.archive.file("\(last).partial"))
            try #require(
                indexed.archive.record(before: indexed.archive.size.start(of: indexed.archive.last))?.end
                    ?? .invalid > indexed.archive.size.start(of: indexed.archive.last)
            )
            let all = try indexed.rows().count
            try indexed.index(rebuild: true)
            try #expect(indexed.rows().count < all)
            // Nobody reads it: it could not be read now.
            let newest = indexed.archive.name(indexed.archive.last - 1)
            try indexed.rot(newest) { $0[9000] ^= 1 }
            try #expect(indexed.index().segmentsRead == 0)
            try #expect(indexed.faults().isEmpty)
            try indexed.rot(newest) { $0[9000] ^= 1 }
            try partial.write(to: URL(fileURLWithPath: indexed.archive.file("\(last).partial")))
            try #expect(indexed.index().segmentsRead == 1)
            try indexed.expectAsRebuilt("its record has an end")
        }
    }
}
