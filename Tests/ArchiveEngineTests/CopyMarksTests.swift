import ArchiveModel
import ArchiveTesting
import Platform
import Testing
import WALFormat

@testable import ArchiveEngine

/// What a copy has taken is forgotten only with the file, and expiry asks for exactly the segments that it may remove.
struct CopyMarksTests {
    private let name = "000000010000000000000003"

    private func with(_ body: (Container, CopyMarks) throws -> Void) throws {
        try TestDirectory.with { directory in
            let container = try ContainerFixture.container(in: directory, copies: ["tape"])
            try FileTree.makeDirectory(container.paths.walArchive)
            let marks = CopyMarks(container, "tape")
            try marks.prepare()
            try body(container, marks)
        }
    }

    /// Compression makes the new file, then removes the old one: a listing may see neither.
    @Test(arguments: ["", ".zst", ".gz"])
    func aFileThatAListingMissesIsNotGone(suffix: String) throws {
        try with { container, _ in
            try DurableFile.replace("\(container.paths.walArchive)/\(name)\(suffix)", text: "x")
            try DurableFile.replace("\(container.paths.walArchive)/00000002.history", text: "1\t0/5000000\n")
            let files: Set = [name, "000000010000000000000002", "00000002.history", "00000003.history"]
            let gone = try WALArchiveFiles.gone(files, from: container)
            #expect(gone.sorted() == ["000000010000000000000002", "00000003.history"])
        }
    }

    @Test func whatWasNotListedIsUncopiedAllTheSame() throws {
        try with { container, marks in
            let segments = try [name, "000000010000000000000004"].map { try #require(SegmentName($0)) }
            try marks.setReady(name)
            try marks.setDone(name)
            // No file is there at all.
            try #expect(WALArchiveFiles.uncopied(segments, container) == [segments[1]: "tape"])
            try CopyMarks.copyAgain(segments[0], container)
            try #expect(WALArchiveFiles.uncopied(segments, container).count == 2)
        }
    }

    /// The copy's program may have read the old content.
    @Test func whatIsReplacedWhileItIsCopiedIsCopiedAgain() throws {
        try with { container, marks in
            let segment = try #require(SegmentName(name))
            try marks.setReady(name)
            try CopyMarks.copyAgain(segment, container)
            try marks.setDone(name)
            try #expect(WALArchiveFiles.uncopied([segment], container) == [segment: "tape"])
            try marks.setReady(name)
            try marks.setDone(name)
            try #expect(WALArchiveFiles.uncopied([segment], container).isEmpty)
        }
    }
}
