import ArchiveTesting
import Foundation
import Testing
import WALFormat
import WALStore

/// Fetch of WAL that the caller has just checked: by reference where the filesystem can, and still the right bytes.
@Suite(.enabled(if: TestEnvironment.hasPostgres, TestEnvironment.noPostgres))
struct CheckedFetchTests {
    private func request(_ copy: ArchiveCopy, _ name: SegmentName, until: LSN) -> FetchRequest {
        var request = copy.request(name, until: until)
        request.isChecked = true
        return request
    }

    @Test(
        .enabled(if: TestEnvironment.canMount, TestEnvironment.noMount),
        arguments: [TestFilesystem.Kind.xfs, .btrfs]
    )
    func isServedByReferenceAndCut(kind: TestFilesystem.Kind) throws {
        try ArchiveCopy.with(on: kind) { copy in
            let record = copy.original.records[2000]
            let name = copy.original.name(of: record.start)
            let next = LSN(record.end.rawValue + (1 << 20))
            // The whole segment, then one that ends within: nothing of what follows is served.
            #expect(copy.fetch(request(copy, name, until: next)).outcome == .served)
            #expect(try copy.fetched == copy.original.bytes(of: name))
            #expect(copy.fetch(request(copy, name, until: record.end)).outcome == .served)
            var cut = try copy.original.bytes(of: name)
            cut.resetBytes(in: Int(record.end.rawValue & 0xF_FFFF)...)
            #expect(copy.fetched == cut)
            // It is not read a second time. A file of another cluster is noticed nevertheless.
            try copy.flip(name, at: Int(record.start.rawValue & 0xF_FFFF) + 4)
            #expect(copy.fetch(copy.request(name, until: next)).outcome.exitStatus == FetchOutcome.abortStatus)
            #expect(copy.fetch(request(copy, name, until: next)).outcome == .served)
            try copy.flip(name, at: 24)
            #expect(copy.fetch(request(copy, name, until: next)).outcome.exitStatus == FetchOutcome.abortStatus)
            #expect(copy.fetched == nil)
        }
    }

    @Test func isCheckedAllTheSameWhereItMustBeCopied() throws {
        try ArchiveCopy.with { copy in
            let record = copy.original.records[2000]
            let name = copy.original.name(of: record.start)
            #expect(copy.fetch(request(copy, name, until: record.end)).outcome == .served)
            _ = try copy.archive.compress(name)
            #expect(copy.fetch(request(copy, name, until: record.end)).outcome == .served)
        }
    }
}
