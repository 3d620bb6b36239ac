import ArchiveTesting
import Foundation
import Platform
import Testing
import WALFormat
import WALStore

/// Segments that lie ready beside a recovering server: the same bytes as fetch serves, and never more.
@Suite(.enabled(if: TestEnvironment.hasPostgres, TestEnvironment.noPostgres))
struct FetchAheadTests {
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
            let outcome = copy.fetch(request(copy, held, until: until)).outcome
            guard case .trouble(let trouble, mustAbort: true) = outcome, trouble.kind == .tablespace else {
                throw TestFailure("the held one: \(outcome)")
            }
        }
    }

    @Test func isNoFurtherAheadThanItMayAndSkipsWhatTheServerHas() throws {
        try ArchiveCopy.with { copy in
            let until = try target(copy)
            let names = names(copy, until: until)
            for name in [names[0], names[2]] { try SpoiltFile.write("", to: "\(copy.writeAheadLog)/\(name)") }
            try running(ahead(copy, until: until, most: 2 << 20), copy) {
                var lying = [names[1], names[3]]
                try expectLying(lying, copy)
                for next in names[4...] {
                    #expect(copy.fetch(request(copy, lying.removeFirst(), until: until)).outcome == .served)
                    lying.append(next)
                    try expectLying(lying, copy)
                }
            }
        }
    }

    /// What the server does not ask for any more makes room for what it will.
    @Test func whatTheServerGotByItselfGoes() throws {
        try ArchiveCopy.with { copy in
            let until = try target(copy)
            let names = names(copy, until: until)
            // Taken over: the server has removed what it needs no more.
            try SpoiltFile.write("", to: "\(copy.writeAheadLog)/\(names[2])")
            try running(ahead(copy, until: until, most: 1 << 20), copy) {
                try expectLying([names[3]], copy)
                try SpoiltFile.write("", to: "\(copy.writeAheadLog)/\(names[3])")
                try expectLying([names[4]], copy)
            }
        }
    }

    /// What is not there yet is waited for, as the server waits for it.
    @Test(arguments: [nil, 100_000])
    func whatComesLaterIsTakenThen(part: Int?) throws {
        try ArchiveCopy.with { copy in
            let until = try target(copy)
            let names = names(copy, until: until)
            let (file, aside) = (copy.file(names[1].description), copy.file("aside"))
            try FileManager.default.moveItem(atPath: file, toPath: aside)
            if let part {
                try SpoiltFile.write(copy.original.bytes(of: names[1]).prefix(part), to: "\(file).partial")
            }
            try running(ahead(copy, until: until, most: 3 << 20), copy) {
                try expectLying([names[0]], copy)
                try FileManager.default.moveItem(atPath: aside, toPath: file)
                try expectLying(Array(names[0...2]), copy)
            }
        }
    }

    private func running(_ ahead: FetchAhead, _ copy: ArchiveCopy, _ body: () throws -> Void) throws {
        let isOver = ThreadFlag()
        let start = copy.original.start
        let thread = try OwnedThread.start(name: "ahead") { ahead.run(from: start) { isOver.isRaised } }
        defer {
            isOver.raise()
            thread.join()
        }
        try body()
    }

    private func expectLying(_ names: [SegmentName], _ copy: ArchiveCopy) throws {
        try eventually(within: 30, "these lie ready: \(names), \(copy.lying)", every: 0.01) {
            copy.lying == names.map(\.description)
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
