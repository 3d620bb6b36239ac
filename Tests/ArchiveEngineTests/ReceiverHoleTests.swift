import ArchiveEngine
import ArchiveModel
import ArchiveTesting
import Foundation
import PostgresLink
import Testing
import WALFormat

/// A receiver whose archive has segments behind others that are missing: pushed, imported, or left by a fault.
struct ReceiverHoleTests {
    /// What the archive has of each of the six segments, from 0/1000000 on.
    enum Part: Sendable { case whole, part, none }

    struct Case: Sendable, CustomTestStringConvertible {
        let archive: [Part]
        /// In segments from the first on; nil: the slot keeps nothing.
        var restart: Double?
        /// In which segment the stream begins.
        let begins: Int
        /// Whether holes are left.
        var leavesHoles = false

        var testDescription: String { "\(archive), slot at \(restart ?? -1)" }
    }

    static let cases = [
        Case(archive: [.whole, .whole, .whole, .whole, .whole, .whole], restart: 0, begins: 6),
        // Received up to the middle of one, then pushed from a later one on.
        Case(archive: [.whole, .part, .none, .none, .whole, .whole], restart: 1.3, begins: 1),
        Case(archive: [.whole, .part, .none, .none, .whole, .whole], restart: 1, begins: 1),
        Case(archive: [.whole, .none, .none, .whole, .whole, .whole], restart: 1, begins: 1),
        Case(archive: [.whole, .none, .none, .whole, .whole, .whole], restart: 0, begins: 1),
        // Only the newest is here.
        Case(archive: [.none, .none, .none, .none, .none, .whole], restart: 0, begins: 0),
        Case(archive: [.none, .none, .none, .none, .none, .whole], restart: 0.5, begins: 0),
        // Several holes.
        Case(archive: [.whole, .none, .whole, .part, .whole, .whole], restart: 0.2, begins: 1),
        // One before the slot's position was acknowledged, or is not wanted.
        Case(archive: [.whole, .none, .whole, .part, .whole, .whole], restart: 2.5, begins: 3, leavesHoles: true),
        Case(archive: [.whole, .none, .whole, .whole, .whole, .whole], restart: 2, begins: 6, leavesHoles: true),
        Case(archive: [.none, .none, .whole, .whole, .whole, .whole], restart: 2, begins: 6, leavesHoles: true),
        // Nothing says what was acknowledged: as much as can be had.
        Case(archive: [.whole, .none, .whole, .part, .whole, .whole], begins: 1),
        Case(archive: [.part, .none, .whole, .part, .whole, .whole], begins: 0),
        Case(archive: [.none, .none, .whole, .whole, .whole, .whole], begins: 6, leavesHoles: true),
    ]

    private func name(_ index: Int, of craft: WALCraft) -> SegmentName {
        SegmentName(timeline: craft.timeline, number: 16 + UInt64(index), size: craft.segmentSize)
    }

    private func fill(_ archive: String, _ parts: [Part], of craft: WALCraft) throws {
        for (index, part) in parts.enumerated() {
            let name = name(index, of: craft)
            let bytes = Data(craft.content(of: name))
            switch part {
            case .whole: try SpoiltFile.write(bytes, to: "\(archive)/\(name)")
            case .part: try SpoiltFile.write(bytes.prefix(400_000), to: "\(archive)/\(name).partial")
            case .none: break
            }
        }
    }

    private func starts(_ upstream: FakeUpstream) -> [LSN] {
        upstream.commands.filter { $0.hasPrefix("START_REPLICATION") }
            .compactMap { $0.split(separator: " ").lazy.compactMap { LSN(String($0)) }.first }
    }

    @Test(arguments: cases)
    func receivesFromTheFirstHoleThatTheSlotKeeps(_ example: Case) throws {
        let craft = WALCraft(filledWith: 6 << 20 + 12345)
        let fake = ReceiverFakeTests()
        try fake.with(
            craft,
            // Not all at once: what is missing is looked for anew each time.
            stream: { session in
                try session.send(craft, to: min(craft.position, session.position.advanced(by: 900_000)))
                if session.position >= craft.position { try session.answer() }
                let end = craft.records.last { $0.end <= session.position }?.end ?? .invalid
                try session.waitForReply { $0.flushed == end }
                session.close()
            },
            prepare: { upstream, archive in
                try fill(archive, example.archive, of: craft)
                upstream.change { answers in
                    answers.slotRestart = example.restart.map { craft.start.advanced(by: UInt64($0 * 1_048_576)) }
                    answers.slotKeepsNothing = example.restart == nil
                }
            }
        ) { upstream, receiver in
            try receiver.waitForDurable(craft.position, within: 60)
            try eventually("all is acknowledged") { upstream.replies.last?.flushed == craft.position }
            #expect(receiver.stop() == 0)
            let first = try #require(starts(upstream).first)
            #expect(craft.segmentSize.number(of: first) == UInt64(16 + example.begins), "\(receiver.log)")
            if !example.leavesHoles {
                fake.expectWhole(craft, receiver)
                #expect(receiver.files.filter { $0.contains(".partial") } == ["\(name(6, of: craft)).partial"])
            }
            // Never back, and nothing before what is missing is here.
            let flushed = upstream.replies.map(\.flushed).filter(\.isValid)
            #expect(flushed == flushed.sorted())
            let beginning = LSN(0x100_0000 + UInt64(example.begins + 2) << 20)
            #expect((flushed.first ?? .invalid) <= beginning, "\(flushed.first ?? .invalid)")
            #expect(receiver.status?.reason == nil)
        }
    }

    /// Runs `body` once a receiver with two holes is at the end; what lies before a position is gone upstream.
    private func withHoles(
        goneBefore kept: LSN,
        _ body: (WALCraft, FakeUpstream, RunningReceiver) throws -> Void
    ) throws {
        let craft = WALCraft(filledWith: 6 << 20 + 12345)
        try ReceiverFakeTests().with(
            craft,
            stream: { session in
                if session.position < kept { try session.error("58P01", "has already been removed", fatal: true) }
                try session.serve(craft)
            },
            prepare: { upstream, archive in
                try fill(archive, [.whole, .none, .whole, .none, .none, .whole], of: craft)
                upstream.change { $0.slotRestart = craft.start }
            }
        ) { upstream, receiver in
            try receiver.waitForDurable(craft.position, within: 60)
            try body(craft, upstream, receiver)
        }
    }

    /// The hole is real: what can be had is received, and it is said what cannot.
    @Test func whatIsGoneUpstreamIsSaid() throws {
        try withHoles(goneBefore: LSN(0x140_0000)) { craft, upstream, receiver in
            let missing = [1, 3].map { name($0, of: craft) }
            let said = "the first \(missing[0]), the last \(missing[1]): "
            try eventually(within: 30, "status says so: \(receiver.log)") {
                receiver.status?.reason?.contains(said) == true
            }
            #expect(receiver.status?.state == .streaming)
            #expect(starts(upstream).map { craft.segmentSize.number(of: $0) } == [17, 19, 20])
            #expect(receiver.bytes("\(name(4, of: craft))") == Data(craft.content(of: name(4, of: craft))))
            for lost in missing { #expect(!receiver.files.contains { $0.hasPrefix("\(lost)") }) }
            // The slot has gone on, and another receiver knows of it all the same.
            #expect(receiver.stop() == 0)
            upstream.change { $0.slotRestart = LSN(0x160_0000) }
            try withReceiver(
                upstream.connection,
                into: receiver.directory,
                configure: { $0.slot = SlotName("arc") }
            ) { receiver in
                try eventually(within: 30, "that says so, too: \(receiver.log)") {
                    receiver.status?.reason?.contains(said) == true
                }
                // Brought by hand, it is well again.
                try fill(receiver.directory, [.none, .whole, .none, .whole], of: craft)
                try eventually(within: 30, "all is well") {
                    receiver.status?.state == .streaming && receiver.status?.reason == nil
                }
            }
        }
    }

    @Test func eachOneThatIsLostCounts() throws {
        try withHoles(goneBefore: LSN(0x150_0000)) { craft, upstream, receiver in
            #expect(starts(upstream).map { craft.segmentSize.number(of: $0) } == [17, 19, 20, 22])
            // One line for those that follow each other.
            let lines = receiver.log.split(separator: "\n").filter { $0.contains("going on behind it") }
            #expect(lines.count == 2, "\(receiver.log)")
            // All but one are brought.
            try fill(receiver.directory, [.none, .whole, .none, .none, .whole], of: craft)
            let said = "segment \(name(3, of: craft)) is missing here and gone upstream"
            try eventually(within: 30, "that one is said: \(receiver.log)") {
                receiver.status?.reason?.hasPrefix(said) == true
            }
        }
    }

    /// What nobody needs any more is no reason to alarm.
    @Test func aHoleBeforeWhatIsNeededIsNone() throws {
        let craft = WALCraft(filledWith: 6 << 20 + 12345)
        try ReceiverFakeTests().with(
            craft,
            prepare: { upstream, archive in
                try fill(archive, [.whole, .none, .whole, .none, .whole, .whole], of: craft)
                upstream.change { $0.slotRestart = LSN(0x160_0000) }
            },
            configure: { options in options.neededFrom = { LSN(0x128_0000) } }
        ) { _, receiver in
            try receiver.waitForDurable(craft.position, within: 60)
            let said = "segment \(name(3, of: craft)) is missing here"
            try eventually(within: 30, "only what is needed is said: \(receiver.log)") {
                receiver.status?.reason?.hasPrefix(said) == true
            }
        }
    }

    @Test func theReceivingFormWithoutASlotDoesTheSame() throws {
        let craft = WALCraft(filledWith: 6 << 20 + 12345)
        let fake = ReceiverFakeTests()
        try fake.with(
            craft,
            prepare: { _, archive in try fill(archive, [.part, .none, .whole], of: craft) },
            configure: { options in
                options.slot = nil
                options.isShared = true
            }
        ) { upstream, receiver in
            try receiver.waitForDurable(craft.position, within: 60)
            #expect(receiver.stop() == 0)
            fake.expectWhole(craft, receiver)
            #expect(starts(upstream).first.map { craft.segmentSize.number(of: $0) } == 16)
        }
    }

    /// Killed while it fills the hole; the slot keeps no more than what was not acknowledged.
    @Test(arguments: [
        "tail.sync@2", "segment.write", "segment.write@3", "segment.sync", "segment.beforeRename", "durable.renamed",
        "segment.afterRename", "segment.beforeRename@3", "durable.removed", "segment.afterRename@3", "segment.sync@5",
    ])
    func killedWhileItFillsTheHole(point: String) throws {
        let craft = WALCraft(filledWith: 6 << 20 + 12345)
        try TestDirectory.with { directory in
            let archive = try directory.subdirectory("wal")
            try fill(archive, [.whole, .part, .none, .whole, .none, .whole], of: craft)
            let upstream = try FakeUpstream(craft)
            defer { upstream.close() }
            upstream.change { $0.slotRestart = LSN(0x110_1000) }
            let end = try #require(craft.records.dropLast(3).last).end
            func receive(_ fault: String) throws -> CommandResult {
                try TestCommand(
                    try BuiltPrograms.pgarchive(),
                    ["wal_archive", "receive", "-D", archive, "-S", "arc", "-d", upstream.connection, "-E", "\(end)"],
                    environment: ["PGARCHIVE_FAULT": fault]
                ).run(deadline: 120)
            }
            let parts = point.split(separator: "@")
            let killed = try receive("\(parts[0])=exit" + (parts.count > 1 ? "@\(parts[1])" : ""))
            #expect(killed.status == 86, "\(killed)")
            let acknowledged = upstream.replies.map(\.flushed).max() ?? .invalid
            upstream.change { $0.slotRestart = max(acknowledged, LSN(0x110_1000)) }
            let result = try receive("")
            #expect(result.status == 0, "\(result)")
            for index in 0..<6 {
                let name = name(index, of: craft)
                let bytes = FileManager.default.contents(atPath: "\(archive)/\(name)")
                #expect(bytes == Data(craft.content(of: name)), "\(name)")
            }
            let left = try FileManager.default.contentsOfDirectory(atPath: archive).filter { $0.contains(".partial") }
            #expect(left == ["\(name(6, of: craft)).partial"])
        }
    }

    /// Other content behind the hole is found when it is compared, and kept.
    @Test func anotherServersSegmentsBehindTheHoleAreNotGoneOnFrom() throws {
        let craft = WALCraft(filledWith: 4 << 20 + 12345)
        let other = WALCraft(filledWith: 4 << 20 + 12345, recordBytes: 701)
        let fake = ReceiverFakeTests()
        try fake.with(
            craft,
            prepare: { _, archive in
                try fill(archive, [.whole, .none], of: craft)
                try fill(archive, [.none, .none, .whole, .whole], of: other)
            }
        ) { _, receiver in
            try eventually(within: 60, "it is told: \(receiver.log)") { receiver.status?.state == .diverged }
            #expect(receiver.bytes("\(name(1, of: craft))") == Data(craft.content(of: name(1, of: craft))))
            #expect(receiver.bytes("\(name(2, of: other))") == Data(other.content(of: name(2, of: other))))
        }
    }

    /// After a failover the new primary's archive_command was quicker than the receiver.
    @Test func aHoleBeforeAForkIsReceivedOnTheTimelineThatWasLeft() throws {
        let old = WALCraft(filledWith: 3_500_000)
        let fork = old.position
        var new = old
        new.timeline = TimelineID(2)
        new.fill(byteCount: 2_500_000)
        let (first, second) = (old, new)
        let history = "1\t\(fork)\tno recovery target specified\n"
        let fake = ReceiverFakeTests()
        try fake.with(
            second,
            stream: { session in
                guard session.timeline == TimelineID(1) else { return try session.serve(second) }
                try session.send(first, to: fork)
                try session.endTimeline(next: TimelineID(2), at: fork)
            },
            prepare: { upstream, archive in
                try fill(archive, [.whole, .part], of: first)
                try fill(archive, [.none, .none, .none, .whole, .whole], of: second)
                try Data(history.utf8).write(to: URL(fileURLWithPath: "\(archive)/00000002.history"))
                upstream.change { answers in
                    answers.slotRestart = LSN(0x110_1000)
                    answers.timeline = TimelineID(2)
                    answers.histories[TimelineID(2)] = history
                }
            }
        ) { upstream, receiver in
            try eventually(within: 60, "all of the new timeline; \(receiver.log)") {
                receiver.status?.timeline == TimelineID(2) && receiver.status?.durable == second.position
            }
            #expect(receiver.stop() == 0)
            for index in 0..<3 {
                #expect(receiver.bytes("\(name(index, of: first))") == Data(first.content(of: name(index, of: first))))
            }
            let part = first.content(of: name(3, of: first))
            #expect(receiver.bytes("\(name(3, of: first)).partial")?.prefix(part.count) == Data(part))
            for index in 3..<5 {
                let name = name(index, of: second)
                #expect(receiver.bytes("\(name)") == Data(second.content(of: name)))
            }
            let flushed = upstream.replies.map(\.flushed).filter(\.isValid)
            #expect(flushed == flushed.sorted())
        }
    }
}
