import ArchiveEngine
import ArchiveModel
import ArchiveTesting
import Foundation
import Platform
import PostgresLink
import Synchronization
import Testing
import WALFormat

/// Up to where an upstream has sent.
private final class SentPosition: Sendable {
    let value = Mutex(LSN.invalid)
}

/// Segments of many blocks: whole ones are written past the page cache, the parts around pauses through it.
extension ReceiverDiskTests {
    /// A stream with pauses at odd places, after each of which all is durable before it goes on.
    private static func stops(of craft: WALCraft) -> [UInt64] {
        let size = craft.segmentSize.bytes
        let block: UInt64 = 1 << 20
        // Within a block, after whole ones, at a block's end, on either side of a segment's end, and at it.
        return [
            1, 300_007, 3 * block + 77_777, size - 3, size + 5, size + 2 * block, 2 * size - 4096, 2 * size,
            2 * size + 2 * block + 1,
        ].filter { $0 < UInt64(craft.bytes.count) }
    }

    /// Segments of so many MB, with a little more than two and a half of them.
    private func craft(segmentMegabytes: UInt64) throws -> WALCraft {
        let size = try #require(SegmentSize(bytes: segmentMegabytes << 20))
        var craft = WALCraft(start: LSN(0x100_0000), segmentSize: size)
        craft.fill(byteCount: Int(segmentMegabytes) << 20 * 5 / 2 + 123_457, recordBytes: 5003)
        return craft
    }

    private func stream(_ craft: WALCraft) -> FakeUpstream.Stream {
        let stops = Self.stops(of: craft).map { craft.start.advanced(by: $0) }
        let ends = craft.records.map(\.end)
        return { session in
            for stop in stops where stop > session.position {
                // No divisor of a block.
                try session.send(craft, to: stop, chunkBytes: 100_003)
                try session.keepalive(end: stop, replyRequested: true)
                let durable = ends.last { $0 <= stop } ?? .invalid
                try session.waitForReply { $0.flushed >= durable }
            }
            try session.serve(craft, chunkBytes: 100_003)
        }
    }

    @Test(arguments: [
        (TestFilesystem.Kind.plain, 16 as UInt64), (.btrfs, 16), (.xfs, 4), (.tmpfs, 4),
    ])
    func wholeBlocksAndPartsOfThemMakeOneFile(kind: TestFilesystem.Kind, segmentMegabytes: UInt64) throws {
        try kind.orSkip()
        let craft = try craft(segmentMegabytes: segmentMegabytes)
        try TestDirectory.with { directory in
            try TestFilesystem.with(kind, in: directory, megabytes: kind == .tmpfs ? 32 : 512) { disk in
                let upstream = try FakeUpstream(craft, stream: stream(craft))
                defer { upstream.close() }
                try withReceiver(
                    upstream.connection,
                    into: "\(disk.path)/wal",
                    configure: { $0.slot = SlotName("arc") }
                ) { receiver in
                    try receiver.waitForDurable(craft.position, within: 60)
                    #expect(receiver.stop() == 0)
                    #expect(upstream.connections == 1, "\(receiver.log)")
                    try expectNothingElse(craft, receiver.directory)
                }
            }
        }
    }

    /// Killed where direct and buffered writes meet; it goes on to the same bytes.
    @Test(
        .enabled(if: TestEnvironment.hasStrace, TestEnvironment.noStrace),
        arguments: [("pwrite64", 6), ("fcntl", 4)]
    )
    func killedBetweenDirectAndBufferedWrites(call: String, number: Int) throws {
        let craft = try craft(segmentMegabytes: 4)
        try withProcess(
            craft,
            stream: stream(craft),
            fault: nil,
            strace: "inject=\(call):signal=KILL:when=\(number)"
        ) { upstream, process, directory in
            try eventually(within: 60, "killed") { !process.isRunning }
            kill(-process.pid, SIGKILL)
            try process.wait()
            let acknowledged = upstream.replies.map(\.flushed).max() ?? .invalid
            #expect(validEnd(craft, directory) >= acknowledged)
            let connections = upstream.connections
            let again = try start(craft, upstream, directory, fault: nil)
            try waitForAll(craft, upstream, again, after: connections)
            kill(-again.pid, SIGTERM)
            let status = try again.wait().status
            #expect(status == 0)
            expectSegments(craft, directory)
        }
    }

    /// A filesystem that takes no O_DIRECT, or wants another alignment, is written to through the page cache.
    @Test(arguments: ["segment.setDirect", "segment.writeDirect"], [1, 3])
    func aFilesystemWithoutDirectWritesIsWrittenTo(point: String, passage: Int) throws {
        let craft = try craft(segmentMegabytes: 4)
        try TestDirectory.with { marks in
            let mark = "\(marks.path)/fired"
            try withProcess(craft, stream: stream(craft), fault: "\(point)=unsupported@\(passage)", mark: mark) {
                upstream,
                process,
                directory in
                try waitForAll(craft, upstream, process)
                #expect(FileManager.default.fileExists(atPath: mark))
                #expect(upstream.connections == 1)
                kill(-process.pid, SIGTERM)
                try process.wait()
                try expectNothingElse(craft, directory, isPadded: true)
            }
        }
    }

    /// Memory for what waits to be written runs out too: nothing is read any more, and replies go on.
    @Test(.enabled(if: TestEnvironment.canMount, TestEnvironment.noMount))
    func aFullDiskWithMuchToWriteGoesOnByItself() throws {
        var made = WALCraft(start: LSN(0x100_0000), segmentSize: .standard)
        made.fill(byteCount: 120 << 20, recordBytes: 60_003)
        let craft = made
        try TestDirectory.with { directory in
            try TestFilesystem.with(.tmpfs, in: directory, megabytes: 144) { disk in
                let sent = SentPosition()
                let upstream = try FakeUpstream(craft) { session in
                    while session.position < craft.position {
                        try session.send(craft, to: session.position.advanced(by: 131_072), chunkBytes: 131_072)
                        sent.value.withLock { $0 = session.position }
                    }
                    try session.answer()
                }
                defer { upstream.close() }
                let ballast = "\(disk.path)/ballast"
                try fill(ballast, leaving: 6 << 20, on: disk.path)
                try withReceiver(
                    upstream.connection,
                    into: "\(disk.path)/wal",
                    configure: { options in
                        options.slot = SlotName("arc")
                        options.statusIntervalSeconds = 0.2
                        options.report(into: directory.path)
                    }
                ) { receiver in
                    let status = StatusOf("\(directory.path)/status")
                    try eventually(within: 60, "disk full; \(status.log)") {
                        guard let value = status.value, value.state == .diskFull else { return false }
                        return sent.value.withLock { $0 } > value.durable.advanced(by: 32 << 20)
                    }
                    let before = upstream.replies.count
                    try eventually(within: 60, "replies go on") { upstream.replies.count >= before + 5 }
                    #expect(status.value?.state == .diskFull)
                    // Not read any more, but for what the sockets hold.
                    #expect(sent.value.withLock { $0 } < craft.position)
                    try FileManager.default.removeItem(atPath: ballast)
                    try eventually(within: 60, "all received; \(status.log)") {
                        status.value?.durable == craft.position
                    }
                    #expect(upstream.connections == 1)
                    #expect(receiver.stop() == 0)
                    try expectNothingElse(craft, receiver.directory)
                }
            }
        }
    }

    /// The end position lies beyond what there is room for: the process ends, and makes no second attempt.
    @Test(.enabled(if: TestEnvironment.canMount, TestEnvironment.noMount))
    func anEndThatCannotBeReachedIsAnError() throws {
        let craft = WALCraft(filledWith: 12 << 20)
        try TestDirectory.with { directory in
            try TestFilesystem.with(.tmpfs, in: directory, megabytes: 4) { disk in
                let upstream = try FakeUpstream(craft)
                defer { upstream.close() }
                try withReceiver(
                    upstream.connection,
                    into: "\(disk.path)/wal",
                    configure: { options in
                        options.slot = SlotName("arc")
                        options.endPosition = craft.start.advanced(by: 8 << 20)
                        options.report(into: directory.path)
                    }
                ) { receiver in
                    let code = try receiver.waitForEnd(within: 60)
                    #expect(code == 1)
                    #expect(upstream.connections == 1, "\(StatusOf("\(directory.path)/status").log)")
                }
            }
        }
    }

    /// The failed segment could not even be renamed: it is not gone on with before that has worked.
    @Test func whatCouldNotBeSetAsideIsNotGoneOnWith() throws {
        let craft = WALCraft(filledWith: 3 << 20)
        try withProcess(craft, fault: "segment.sync=error@2,segment.setAside=error") { upstream, process, directory in
            try waitForAll(craft, upstream, process)
            #expect(upstream.connections == 2)
            let files = try FileManager.default.contentsOfDirectory(atPath: directory)
            #expect(files.filter { $0.hasSuffix(".partial.suspect-1") }.count == 1, "\(files)")
            expectSegments(craft, directory)
        }
    }

    /// All that was made is here byte by byte, in complete segments and a partial one, and no other file.
    ///
    /// The latter is padded with zeros where pg_receivewal may go on with it.
    private func expectNothingElse(_ craft: WALCraft, _ directory: String, isPadded: Bool = false) throws {
        expectSegments(craft, directory)
        let last = SegmentName(timeline: craft.timeline, containing: craft.position, size: craft.segmentSize)
        var expected = Data(craft.content(of: last))
        if isPadded { expected += Data(count: Int(craft.segmentSize.bytes) - expected.count) }
        let isSame = FileManager.default.contents(atPath: "\(directory)/\(last).partial") == expected
        #expect(isSame)
        let files = try FileManager.default.contentsOfDirectory(atPath: directory).sorted()
        #expect(files == craft.completeSegments.map(\.description) + ["\(last).partial"])
    }
}
