import ArchiveTesting
import Foundation
import Platform
import Synchronization
import Testing
import WALFormat
import WALStore

/// Segments that lie ready beside a recovering server: the same bytes as fetch serves, and never more.
@Suite(.enabled(if: TestEnvironment.hasPostgres, TestEnvironment.noPostgres))
struct FetchAheadTests {
    private final class Flag: Sendable { let value = Atomic(false) }

    private func ahead(_ copy: ArchiveCopy, until: LSN, most: UInt64 = 128 << 20) -> FetchAhead {
        FetchAhead(copy.request("", until: until), writeAheadLog: copy.writeAheadLog, mostBytes: most)
    }

    private func request(_ copy: ArchiveCopy, _ name: SegmentName, until: LSN) -> FetchRequest {
        var request = copy.request(name, until: until)
        request.takesAhead = true
        return request
    }

    /// A commit somewhere before the tablespace, with some segments before it.
    private func target(_ copy: ArchiveCopy) throws -> LSN {
        try #require(
            copy.original.records.last {
                $0.resourceManager == ResourceManager.transaction && $0.start < copy.original.tablespace.start
            }
        ).end
    }

    private func names(_ copy: ArchiveCopy, until: LSN) -> [SegmentName] {
        let size = copy.original.size
        let last = size.number(of: LSN(until.rawValue - 1))
        return (size.number(of: copy.original.start)...last).map {
            SegmentName(timeline: TimelineID(1), number: $0, size: size)
        }
    }

    @Test(arguments: [TestFilesystem.Kind.plain, .btrfs])
    func whatLiesReadyIsWhatFetchServes(kind: TestFilesystem.Kind) throws {
        if kind != .plain, !TestEnvironment.canMount { try Test.cancel(TestEnvironment.noMount) }
        try ArchiveCopy.with(on: kind) { copy in
            let until = try target(copy)
            let names = names(copy, until: until)
            #expect(names.count > 5)
            let served = try names.map { name in
                #expect(copy.fetch(copy.request(name, until: until)).outcome == .served)
                return try #require(copy.fetched)
            }
            ahead(copy, until: until).run(from: copy.original.start) { false }
            #expect(copy.lying.count == names.count)
            // Nothing but what lies ready is left to be served.
            for name in names { unlink(copy.file(name.description)) }
            let last = try #require(names.last)
            // Made for another end, it is none of this server's.
            let earlier = LSN(until.rawValue - 8)
            #expect(copy.fetch(request(copy, last, until: earlier)).outcome.exitStatus == FetchOutcome.abortStatus)
            #expect(copy.fetch(copy.request(last, until: until)).outcome.exitStatus == FetchOutcome.abortStatus)
            for (name, bytes) in zip(names, served) {
                let asked = SystemClock.now()
                #expect(copy.fetch(request(copy, name, until: until)).outcome == .served)
                #expect(copy.fetched == bytes, "\(name)")
                // What was given last is known by the times: it is that of the giving, by the kernel's coarse clock.
                #expect(try FileTree.status(copy.target).modified >= asked - 20_000)
                let again = copy.fetch(request(copy, name, until: until)).outcome
                #expect(again.exitStatus == FetchOutcome.abortStatus, "given once only")
            }
            FetchAhead.remove(in: copy.writeAheadLog)
            #expect(!FileTree.exists("\(copy.writeAheadLog)/pgarchive.ahead"))
        }
    }

    @Test func whatIsWrongIsLeftToFetch() throws {
        try ArchiveCopy.with { copy in
            let until = try target(copy)
            let names = names(copy, until: until)
            try copy.flip(names[2], at: 300_000)
            ahead(copy, until: until).run(from: copy.original.start) { false }
            #expect(copy.lying == names.prefix(2).map(\.description))
            #expect(copy.fetch(request(copy, names[2], until: until)).outcome.exitStatus == FetchOutcome.abortStatus)
            #expect(copy.fetch(request(copy, names[3], until: until)).outcome == .served)
        }
    }

    /// A record that would make replay touch paths outside of the container is not served in this way either.
    @Test func aTablespaceEndsIt() throws {
        try ArchiveCopy.with { copy in
            let until = try #require(copy.original.records.last).end
            ahead(copy, until: until).run(from: copy.original.start) { false }
            let held = copy.original.name(of: copy.original.tablespace.start)
            #expect(!copy.lying.isEmpty)
            #expect(copy.lying.allSatisfy { $0 < held.description }, "\(copy.lying)")
        }
    }

    @Test func isNoFurtherAheadThanItMayAndSkipsWhatTheServerHas() throws {
        try ArchiveCopy.with { copy in
            let until = try target(copy)
            let names = names(copy, until: until)
            try SpoiltFile.write("", to: "\(copy.writeAheadLog)/\(names[1])")
            let isOver = Flag()
            let work = ahead(copy, until: until, most: 2 << 20)
            let start = copy.original.start
            let thread = try OwnedThread.start(name: "ahead") {
                work.run(from: start) { isOver.value.load(ordering: .relaxed) }
            }
            defer {
                isOver.value.store(true, ordering: .relaxed)
                thread.join()
            }
            var lying = [names[0], names[2]]
            try eventually(within: 30, "two lie ready", every: 0.01) { copy.lying == lying.map(\.description) }
            for next in names[3...] {
                #expect(copy.fetch(request(copy, lying.removeFirst(), until: until)).outcome == .served)
                lying.append(next)
                try eventually(within: 30, "the next does", every: 0.01) { copy.lying == lying.map(\.description) }
            }
        }
    }
}

extension ArchiveCopy {
    fileprivate var writeAheadLog: String { (target as NSString).deletingLastPathComponent }

    /// The names of the segments that lie ready, in order.
    fileprivate var lying: [String] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "\(writeAheadLog)/pgarchive.ahead")) ?? []
        return names.filter { $0.first != "." }.sorted().map { String($0.prefix(24)) }
    }
}
