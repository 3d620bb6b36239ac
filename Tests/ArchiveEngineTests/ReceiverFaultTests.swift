import ArchiveEngine
import ArchiveModel
import ArchiveTesting
import Foundation
import PostgresLink
import Synchronization
import Testing
import WALFormat

/// What must never go wrong, whatever the upstream, the network or the archive are like.
extension ReceiverFakeTests {
    @Test func otherContentIsDivergenceAndChangesNothing() throws {
        let ours = WALCraft(filledWith: 500_000, recordBytes: 300)
        var theirs = WALCraft(filledWith: 100_000, recordBytes: 300)
        theirs.fill(byteCount: 700_000, recordBytes: 301)
        let name = SegmentName(timeline: TimelineID(1), containing: ours.start, size: ours.segmentSize)
        try with(
            theirs,
            prepare: { _, archive in
                try Data(ours.bytes).write(to: URL(fileURLWithPath: "\(archive)/\(name).partial"))
            }
        ) { upstream, receiver in
            try eventually("diverged; \(receiver.log)") { receiver.status?.state == .diverged }
            #expect(receiver.bytes("\(name).partial") == Data(ours.bytes))
        }
    }

    /// What follows the damage stays until the upstream sends it again, and a copy even then.
    @Test func aDamagedSegmentIsNotCutBeforeTheUpstreamAgrees() throws {
        let craft = WALCraft(filledWith: 900_000)
        let name = SegmentName(timeline: TimelineID(1), containing: craft.start, size: craft.segmentSize)
        var damaged = Data(craft.bytes)
        damaged[300_000] ^= 1
        let before = damaged
        try with(
            craft,
            stream: { try $0.error("58P01", "as scripted", fatal: true) },
            prepare: { _, archive in try before.write(to: URL(fileURLWithPath: "\(archive)/\(name).partial")) }
        ) { upstream, receiver in
            try eventually("a gap; \(receiver.log)") { receiver.status?.state == .gap }
            #expect(receiver.files == ["\(name).partial"])
            #expect(receiver.bytes("\(name).partial") == before)
            #expect(receiver.stop() == 0)
            upstream.script { try $0.serve(craft) }
            try withReceiver(upstream.connection, into: receiver.directory) { again in
                try again.waitForDurable(craft.position)
                #expect(again.stop() == 0)
                expectWhole(craft, again)
                #expect(again.bytes("\(name).partial.suspect-1") == before)
            }
        }
    }

    /// A container's archive is begun once.
    @Test func anArchiveThatIsGoneIsNotBegunAnew() throws {
        let craft = threeSegments
        try TestDirectory.with { directory in
            let mark = "\(directory.path)/mark"
            let upstream = try FakeUpstream(craft)
            defer { upstream.close() }
            try withReceiver(
                upstream.connection,
                into: "\(directory.path)/wal",
                configure: { options in
                    options.shortestRetrySeconds = 0.01
                    options.beginsOnlyWith = mark
                }
            ) { receiver in
                try eventually("refused; \(receiver.log)") {
                    receiver.status?.reason?.contains("holds no WAL") == true
                }
                #expect(upstream.connections == 0)
                #expect(receiver.files.isEmpty)
                try Data().write(to: URL(fileURLWithPath: mark))
                try receiver.waitForDurable(craft.position)
            }
        }
    }

    @Test func aDamagedHistoryFileIsNoHindrance() throws {
        let craft = threeSegments
        try with(
            craft,
            prepare: { _, archive in
                try Data("what is this\n".utf8).write(to: URL(fileURLWithPath: "\(archive)/00000002.history"))
            }
        ) { upstream, receiver in
            try receiver.waitForDurable(craft.position)
            #expect(receiver.log.contains("00000002.history"))
        }
    }

    /// In the midst of a stream that does not pause: what is full has its name, what is acknowledged is here.
    @Test func aStopUnderLoadIsOrderly() throws {
        let craft = WALCraft(filledWith: 40 << 20)
        try with(craft, configure: { $0.statusIntervalSeconds = 0.1 }) { upstream, receiver in
            try eventually("some of it") { receiver.completeFiles.count >= 3 }
            #expect(receiver.stop() == 0)
            let names = receiver.files
            #expect(names.filter { $0.hasSuffix(".partial") }.count <= 1, "\(names)")
            #expect(!receiver.log.contains("stopped before"))
        }
    }

    @Test func anArchiveAheadOfTheUpstreamIsDivergence() throws {
        let ours = WALCraft(filledWith: 500_000)
        let theirs = WALCraft(filledWith: 100_000)
        let name = SegmentName(timeline: TimelineID(1), containing: ours.start, size: ours.segmentSize)
        try with(
            theirs,
            prepare: { _, archive in
                try Data(ours.bytes).write(to: URL(fileURLWithPath: "\(archive)/\(name).partial"))
            }
        ) { upstream, receiver in
            try eventually("diverged; \(receiver.log)") { receiver.status?.state == .diverged }
            #expect(receiver.bytes("\(name).partial") == Data(ours.bytes))
            #expect(!upstream.commands.contains { $0.hasPrefix("START") })
        }
    }

    /// Whatever the length of the partial file, and whatever follows its valid part, it is gone on with.
    @Test(arguments: [0, 1, 23, 40, 8191, 8192, 100_001, 524_288, 1_048_575])
    func resumesFromAnyLength(length: Int) throws {
        let craft = threeSegments
        let first = SegmentName(timeline: TimelineID(1), containing: craft.start, size: craft.segmentSize)
        for tail in [[], [UInt8](repeating: 0, count: 5000), [UInt8](repeating: 0xA5, count: 5000)] {
            try with(
                craft,
                prepare: { _, archive in
                    let bytes = (craft.bytes.prefix(length) + tail).prefix(1 << 20)
                    try Data(bytes).write(to: URL(fileURLWithPath: "\(archive)/\(first).partial"))
                }
            ) { upstream, receiver in
                try receiver.waitForDurable(craft.position)
                #expect(receiver.stop() == 0)
                expectWhole(craft, receiver)
            }
        }
    }

    @Test func aSecondReceiverIsRefused() throws {
        let craft = threeSegments
        try with(craft) { upstream, receiver in
            try receiver.waitForDurable(craft.position)
            let second = try RunningReceiver(connection: upstream.connection, directory: receiver.directory)
            let code = try second.waitForEnd()
            #expect(code == 7)
            #expect(receiver.exitCode == nil)
        }
    }

    @Test func aMissingSlotIsMadeAnew() throws {
        let craft = threeSegments
        try with(
            craft,
            prepare: { upstream, _ in upstream.change { $0.slotRestart = nil } },
            configure: { $0.recreatesSlot = true }
        ) { upstream, receiver in
            try eventually("streaming; \(receiver.log)") { receiver.status?.state == .streaming }
            #expect(
                upstream.commands.contains { $0.hasPrefix("CREATE_REPLICATION_SLOT \"arc\" PHYSICAL (RESERVE_WAL)") }
            )
        }
    }

    @Test func noLoopEndsWithTheFirstLostConnection() throws {
        let craft = threeSegments
        try with(craft, stream: { $0.close() }, configure: { $0.loops = false }) { upstream, receiver in
            let code = try receiver.waitForEnd()
            #expect(code == 8)
            #expect(upstream.connections == 1)
        }
    }

    @Test func theEndPositionEndsIt() throws {
        let craft = threeSegments
        try with(craft, configure: { $0.endPosition = LSN(0x123_4567) }) { upstream, receiver in
            let code = try receiver.waitForEnd()
            #expect(code == 0)
            let flushed = upstream.replies.last?.flushed ?? .invalid
            #expect(flushed > LSN(0x123_4567))
            #expect(receiver.completeFiles.count >= 2)
        }
    }
}
