import ArchiveModel
import ArchiveTesting
import Foundation
import Testing
import WALFormat
import WALStore

/// Fetch for clones and restores: every byte that is served, and every refusal.
@Suite(.enabled(if: TestEnvironment.hasPostgres, TestEnvironment.noPostgres))
struct SegmentFetchTests {
    /// What must be served of a segment when the archive ends at `until`.
    private func expected(_ copy: ArchiveCopy, _ name: SegmentName, until: LSN) throws -> Data {
        var bytes = try copy.original.bytes(of: name)
        let start = try #require(name.start(size: copy.original.size))
        let kept = Int(until.bytes(since: start))
        if kept < bytes.count { bytes.resetBytes(in: kept...) }
        return bytes
    }

    private func checkCut(_ copy: ArchiveCopy, until: LSN) throws {
        let last = copy.original.name(of: LSN(until.rawValue - 1))
        for segment in try copy.archive.list().segments
        where segment.name.description >= copy.original.name(of: copy.original.start).description {
            let (outcome, said) = copy.fetch(copy.request(segment.name, until: until))
            if segment.name.description > last.description {
                guard case .notThere = outcome else {
                    Issue.record("\(segment.fileName) until \(until): \(outcome)")
                    return
                }
                #expect(copy.fetched == nil)
            } else {
                #expect(outcome == .served, "\(segment.fileName) until \(until): \(said)")
                #expect(try copy.fetched == expected(copy, segment.name, until: until))
            }
        }
    }

    @Test func servesUpToTheEndOfAnyRecord() throws {
        try ArchiveCopy.with { copy in
            let records = copy.original.records.filter { $0.start < copy.original.tablespace.start }
            var ends = [records[0].end, records[records.count / 2].end]
            // The end of a page, a segment switch, before and after a record that goes over segments.
            ends.append(
                try #require(records.first { $0.end.rawValue % 8192 == 0 && $0.end.rawValue % (1 << 20) != 0 }).end
            )
            ends.append(try #require(records.first { $0.isSegmentSwitch }).end)
            let spanning = records.filter { copy.original.spansSegments($0) }
            #expect(spanning.count > 2)
            ends += spanning.flatMap { [$0.start, $0.end] }
            ends += records.filter { $0.resourceManager == ResourceManager.transaction }.suffix(3).map(\.end)
            for end in ends { try checkCut(copy, until: end) }
        }
    }

    @Test(arguments: [StoredSegment.Form.zstd, .partial])
    func servesTheCutSegmentFromAnyForm(form: StoredSegment.Form) throws {
        try ArchiveCopy.with { copy in
            let record = try #require(
                copy.original.records.last {
                    $0.resourceManager == ResourceManager.transaction && $0.start < copy.original.tablespace.start
                }
            )
            let name = copy.original.name(of: record.start)
            if form == .zstd {
                try copy.archive.compress(name)
            } else {
                // No more than is needed, as after a server's crash right behind it.
                let bytes = try copy.original.bytes(of: name).prefix(Int(record.end.rawValue & 0xF_FFFF))
                try SpoiltFile.write(bytes, to: copy.file("\(name).partial"))
                unlink(copy.file(name.description))
            }
            try checkCut(copy, until: record.end)
            // Without a target the archive ends with its last complete segment.
            if form == .partial {
                var request = copy.request(name)
                request.segmentSize = nil
                #expect(copy.fetch(request).outcome.exitStatus == 1)
            }
        }
    }

    @Test func aPartialSegmentThatEndsTooEarlyIsTrouble() throws {
        try ArchiveCopy.with { copy in
            let record = try #require(copy.original.records.last { $0.start < copy.original.tablespace.start })
            let name = copy.original.name(of: record.start)
            let bytes = try copy.original.bytes(of: name).prefix(Int(record.start.rawValue & 0xF_FFFF) + 8)
            unlink(copy.file(name.description))
            for padding in [0, 5000] {
                try SpoiltFile.write(bytes + Data(count: padding), to: copy.file("\(name).partial"))
                let (outcome, said) = copy.fetch(copy.request(name, until: record.end))
                guard case .trouble(let trouble, mustAbort: true) = outcome else {
                    Issue.record("\(outcome)")
                    return
                }
                #expect(trouble.kind == .short)
                #expect(said.count == 2)
                #expect(copy.fetched == nil)
            }
        }
    }

    @Test func aPositionInsideOfARecordIsRefused() throws {
        try ArchiveCopy.with { copy in
            let record = try #require(copy.original.records.dropFirst(50).first { $0.totalLength > 100 })
            let name = copy.original.name(of: record.start)
            let (outcome, _) = copy.fetch(copy.request(name, until: record.start.advanced(by: 32)))
            #expect(outcome.exitStatus == FetchOutcome.abortStatus)
            #expect(copy.fetched == nil)
        }
    }

    @Test func damageIsNeverServed() throws {
        try ArchiveCopy.with { copy in
            let name = copy.original.name(of: copy.original.records[2000].start)
            let inSegment = copy.original.records.filter {
                copy.original.name(of: $0.start) == name && copy.original.lastSegment(of: $0) == name
            }
            // Bytes that are WAL: not the padding between records. Nor the last page: see the next test.
            let lastPage = LSN((inSegment.last?.start.rawValue ?? 0) & ~0x1FFF)
            let checked = inSegment.filter { $0.end < lastPage }
            for record in stride(from: 0, to: checked.count, by: checked.count / 20).map({ checked[$0] }) {
                let offset = Int(record.start.rawValue & 0xF_FFFF) + Int.random(in: 0..<20)
                try copy.flip(name, at: offset)
                let (outcome, said) = copy.fetch(copy.request(name))
                #expect(outcome.exitStatus == FetchOutcome.abortStatus, "offset \(offset): \(said)")
                #expect(copy.fetched == nil)
            }
            // Damage beyond the target does not matter.
            let last = try #require(inSegment.dropLast(2).last)
            try copy.flip(name, at: Int(last.end.rawValue & 0xF_FFFF) + 6)
            #expect(copy.fetch(copy.request(name, until: last.end)).outcome == .served)
        }
    }

    /// A length that is too large by a megabyte makes a record of the last page one that goes on in the next segment.
    @Test func aRecordThatSeemsToGoOnInTheNextSegmentEndsThere() throws {
        try ArchiveCopy.with { copy in
            // Where a segment ends with a record, or a long one begins before its last page, there is nothing to see.
            var tried = 0
            for (record, cut) in zip(copy.original.records, copy.original.records.dropFirst())
            where copy.original.spansSegments(cut) && !copy.original.spansSegments(record)
                && record.start.rawValue & 0xF_FFFF >= (1 << 20) - 8192 + 24
            {
                let name = copy.original.name(of: record.start)
                let next = copy.original.name(of: LSN(record.start.rawValue + (1 << 20)))
                #expect(copy.fetch(copy.request(next)).outcome == .served)
                try copy.flip(name, at: Int(record.start.rawValue & 0xF_FFFF) + 2)
                let (outcome, said) = copy.fetch(copy.request(next))
                #expect(outcome.exitStatus == FetchOutcome.abortStatus, "\(record.start), \(cut.start): \(said)")
                try SpoiltFile.write(copy.original.bytes(of: name), to: copy.file(name.description))
                tried += 1
            }
            #expect(tried > 0)
        }
    }

    @Test func damageIsSeenInTheSecondPartOfARecordAcrossSegments() throws {
        try ArchiveCopy.with { copy in
            let spanning = try #require(
                copy.original.records.first { copy.original.spansSegments($0) && $0.totalLength < 8000 }
            )
            let second = copy.original.lastSegment(of: spanning)
            #expect(copy.fetch(copy.request(second)).outcome == .served)
            try copy.flip(second, at: 41)
            #expect(copy.fetch(copy.request(second)).outcome.exitStatus == FetchOutcome.abortStatus)
        }
    }

    @Test func wrongClusterTimelineOrPlaceIsNotServed() throws {
        try ArchiveCopy.with { copy in
            let name = copy.original.name(of: copy.original.records[2000].start)
            var request = copy.request(name)
            request.systemIdentifier = 42
            #expect(copy.fetch(request).outcome.exitStatus == FetchOutcome.abortStatus)
            // A segment under another's name.
            let other = copy.original.name(of: LSN(copy.original.records[2000].start.rawValue + (1 << 20)))
            try SpoiltFile.write(try copy.original.bytes(of: other), to: copy.file(name.description))
            #expect(copy.fetch(copy.request(name)).outcome.exitStatus == FetchOutcome.abortStatus)
            #expect(copy.fetched == nil)
        }
    }

    @Test func onlyAProvenEndIsAnEnd() throws {
        try ArchiveCopy.with { copy in
            let segments = try copy.archive.list().segments
            let last = try #require(segments.last)
            let beyond = copy.original.name(
                of: LSN((last.name.start(size: copy.original.size)?.rawValue ?? 0) + (1 << 20))
            )
            #expect(copy.fetch(copy.request(beyond)).outcome.exitStatus == 1)
            // Missing though needed, or though later ones are there.
            let hole = segments[segments.count - 3]
            try copy.archive.remove(hole.name)
            let (outcome, said) = copy.fetch(copy.request(hole.name))
            #expect(outcome.exitStatus == FetchOutcome.abortStatus)
            #expect(said.count == 2)
            try copy.archive.remove(last.name)
            let until = LSN((last.name.start(size: copy.original.size)?.rawValue ?? 0) + 4096)
            #expect(copy.fetch(copy.request(last.name, until: until)).outcome.exitStatus == FetchOutcome.abortStatus)
            // The archive itself is not there.
            var request = copy.request(last.name)
            request.archive = copy.path + "-not-mounted"
            #expect(copy.fetch(request).outcome.exitStatus == FetchOutcome.abortStatus)
        }
    }

    @Test func aTablespaceIsNotReplayedByAClone() throws {
        try ArchiveCopy.with { copy in
            let record = copy.original.tablespace
            let name = copy.original.name(of: record.start)
            try checkCut(copy, until: record.start)
            let (outcome, said) = copy.fetch(copy.request(name, until: record.end))
            guard case .trouble(let trouble, mustAbort: true) = outcome else {
                Issue.record("\(outcome)")
                return
            }
            #expect(trouble.kind == .tablespace)
            #expect(trouble.position == record.start)
            #expect(said.first?.contains("/tablespace") == true)
            // A restore to the host where it belongs is free to.
            #expect(copy.fetch(copy.request(name)).outcome == .served)
        }
    }

    @Test func historiesAreServedToWhoFollowsThem() throws {
        try ArchiveCopy.with { copy in
            let fork = copy.original.records[500].start
            let text = "1\t\(fork)\tno recovery target specified\n"
            var request = copy.request("00000002.history")
            request.path = TimelinePath("1@\(fork),2")
            #expect(copy.fetch(request).outcome.exitStatus == FetchOutcome.abortStatus)
            try copy.archive.storeHistory(TimelineID(2), text: text)
            #expect(copy.fetch(request).outcome == .served)
            #expect(copy.fetched == Data(text.utf8))
            request.path = TimelinePath(TimelineID(1))
            #expect(copy.fetch(request).outcome.exitStatus == 1)
            request.path = nil
            #expect(copy.fetch(request).outcome == .served)
            request.name = "00000003.history"
            #expect(copy.fetch(request).outcome.exitStatus == 1)
            try SpoiltFile.write("rubbish", to: copy.file("00000002.history"))
            request.name = "00000002.history"
            #expect(copy.fetch(request).outcome.exitStatus == FetchOutcome.abortStatus)
        }
    }

    @Test func badNamesTouchNothing() throws {
        try ArchiveCopy.with { copy in
            for name in ["../archive/000000010000000000000003", "..", "", "000000010000000000000003.zst"] {
                var request = copy.request(name)
                #expect(copy.fetch(request).outcome.exitStatus == FetchOutcome.abortStatus)
                request.waits = true
                #expect(copy.fetch(request).outcome.exitStatus == 2)
                #expect(copy.fetched == nil)
            }
        }
    }

    @Test func whatCannotBeWrittenIsTrouble() throws {
        try ArchiveCopy.with { copy in
            var request = copy.request(copy.original.name(of: copy.original.start))
            request.target = "\(copy.directory.path)/nowhere/RECOVERYXLOG"
            #expect(copy.fetch(request).outcome.exitStatus == FetchOutcome.abortStatus)
        }
    }

    @Test func leavesNothingBesideTheTarget() throws {
        try ArchiveCopy.with { copy in
            let name = copy.original.name(of: copy.original.start)
            // An old target is replaced, not written into: it may be a link to somewhere.
            let precious = "\(copy.directory.path)/precious"
            try SpoiltFile.write("precious", to: precious)
            symlink(precious, copy.target)
            let outcome = SegmentFetch(copy.request(name)).run { _ in }
            #expect(outcome == .served)
            #expect(try String(contentsOfFile: precious, encoding: .utf8) == "precious")
            let directory = (copy.target as NSString).deletingLastPathComponent
            #expect(try FileManager.default.contentsOfDirectory(atPath: directory) == ["RECOVERYXLOG"])
        }
    }
}
