import ArchiveEngine
import ArchiveModel
import ArchiveTesting
import Foundation
import PostgresLink
import Synchronization
import Testing
import WALFormat

/// The receiver against a scripted walsender: the protocol's branches that a real server rarely takes.
struct ReceiverFakeTests {
    /// Runs a receiver on an upstream which has `craft`, or does what `stream` says.
    func with<Result>(
        _ craft: WALCraft,
        stream: FakeUpstream.Stream? = nil,
        prepare: (FakeUpstream, _ archive: String) throws -> Void = { _, _ in },
        configure: (inout ReceiverOptions) -> Void = { _ in },
        _ body: (FakeUpstream, RunningReceiver) throws -> Result
    ) throws -> Result {
        try TestDirectory.with { directory in
            let upstream = try FakeUpstream(craft, stream: stream)
            defer { upstream.close() }
            let archive = try directory.subdirectory("wal")
            try prepare(upstream, archive)
            return try withReceiver(
                upstream.connection,
                into: archive,
                configure: { options in
                    options.slot = SlotName("arc")
                    options.shortestRetrySeconds = 0.002
                    configure(&options)
                }
            ) { receiver in try body(upstream, receiver) }
        }
    }

    /// All that was made is here, and nothing else.
    func expectWhole(_ craft: WALCraft, _ receiver: RunningReceiver) {
        for name in craft.completeSegments {
            #expect(receiver.bytes("\(name)") == Data(craft.content(of: name)), "\(name)")
        }
        let last = SegmentName(timeline: craft.timeline, containing: craft.position, size: craft.segmentSize)
        let rest = craft.content(of: last)
        if !rest.isEmpty {
            #expect(receiver.bytes("\(last).partial")?.prefix(rest.count) == Data(rest), "\(last)")
        }
    }

    var threeSegments: WALCraft { WALCraft(filledWith: 3 << 20 + 12345) }

    @Test func receivesWhatIsSent() throws {
        let craft = threeSegments
        try with(craft) { upstream, receiver in
            try receiver.waitForDurable(craft.position)
            #expect(receiver.stop() == 0)
            expectWhole(craft, receiver)
            #expect(upstream.replies.last?.flushed == craft.position)
            #expect(upstream.replies.first?.flushed == .invalid)
            #expect(upstream.connections == 1)
            #expect(receiver.status?.state == .stopped)
        }
    }

    @Test func synchronousModeAcknowledgesEachRecord() throws {
        let craft = WALCraft(filledWith: 100_000)
        let ends = craft.records.map(\.end)
        try with(
            craft,
            stream: { session in
                var at = session.position
                for record in craft.records {
                    try session.data(craft.bytes(from: at, to: record.end), at: at)
                    try session.waitForReply { $0.flushed == record.end }
                    at = record.end
                }
                try session.answer()
            },
            configure: { $0.isSynchronous = true }
        ) { upstream, receiver in
            try receiver.waitForDurable(craft.position)
            let flushed = upstream.replies.map(\.flushed).filter(\.isValid)
            #expect(Set(flushed).isSubset(of: Set(ends)))
            #expect(flushed == flushed.sorted())
        }
    }

    /// Rows of the table of server errors: all come after COPY has begun.
    @Test(arguments: [
        ("58P01", ReceiverStatus.State.gap), ("55006", .retrying), ("57P01", .retrying), ("XX000", .retrying),
        ("28000", .retrying),
    ])
    func serverErrors(state: String, expected: ReceiverStatus.State) throws {
        let craft = threeSegments
        try with(craft, stream: { try $0.error(state, "as scripted", fatal: true) }) { upstream, receiver in
            try eventually("state \(expected): \(receiver.log)") {
                receiver.status?.state == expected && receiver.status?.reason?.contains("as scripted") == true
            }
            #expect(receiver.exitCode == nil)
        }
    }

    @Test func aRefusedLoginIsTriedAgain() throws {
        let craft = threeSegments
        try with(craft, prepare: { upstream, _ in upstream.change { $0.refusal = "57P03" } }) { upstream, receiver in
            try eventually("several attempts") { upstream.connections > 3 }
            #expect(receiver.status?.state == .retrying)
            upstream.change { $0.refusal = nil }
            try receiver.waitForDurable(craft.position)
        }
    }

    @Test func anotherSystemEndsIt() throws {
        try with(threeSegments, configure: { $0.systemIdentifier = 1 }) { _, receiver in
            let code = try receiver.waitForEnd()
            #expect(code == 4)
            #expect(receiver.files.isEmpty)
            #expect(receiver.status?.reason?.contains("another cluster") == true)
        }
    }

    @Test func anotherSegmentSizeEndsIt() throws {
        try with(threeSegments, configure: { $0.segmentSize = .standard }) { _, receiver in
            let code = try receiver.waitForEnd()
            #expect(code == 4)
        }
    }

    @Test func anArchiveOfAnotherSystemEndsIt() throws {
        var other = WALCraft(
            start: LSN(0x100_0000),
            segmentSize: WALCraft.smallSegments,
            systemIdentifier: 99
        )
        other.fill(byteCount: 500_000)
        try with(
            threeSegments,
            prepare: { _, archive in
                let name = SegmentName(timeline: TimelineID(1), containing: other.start, size: other.segmentSize)
                try Data(other.bytes).write(to: URL(fileURLWithPath: "\(archive)/\(name).partial"))
            }
        ) { _, receiver in
            let code = try receiver.waitForEnd()
            #expect(code == 4)
            #expect(receiver.files.count == 1)
        }
    }

    @Test func aWrongOffsetIsNotWritten() throws {
        let craft = threeSegments
        try with(
            craft,
            stream: { session in
                guard session.number == 1 else { return try session.serve(craft) }
                try session.data(craft.bytes(from: craft.start, to: LSN(0x100_8000)), at: craft.start)
                try session.data(craft.bytes(from: LSN(0x101_0000), to: LSN(0x102_0000)), at: LSN(0x101_0000))
                try session.answer()
            }
        ) { upstream, receiver in
            try receiver.waitForDurable(craft.position)
            #expect(upstream.connections == 2)
            expectWhole(craft, receiver)
        }
    }

    /// The connection breaks within a message, at each of its bytes.
    @Test func cutsAtEachByteOfAMessage() throws {
        let craft = WALCraft(filledWith: 2_100_000, recordBytes: 60)
        try with(
            craft,
            stream: { session in
                // Beyond the page that is compared, so that the archive moves on.
                let at = session.position.advanced(by: 8400)
                let bytes = craft.bytes(from: session.position, to: at)
                let message = ReplicationMessage.data(
                    start: session.position,
                    payloadBytes: bytes.count,
                    serverEnd: craft.position,
                    serverClock: PostgresTime(rawValue: 1)
                ).encoded(payload: bytes)
                guard session.number <= 230 else { return try session.serve(craft) }
                try session.copyData(message)
                let next = craft.bytes(from: at, to: at.advanced(by: 200))
                let cut = ReplicationMessage.data(
                    start: at,
                    payloadBytes: next.count,
                    serverEnd: craft.position,
                    serverClock: PostgresTime(rawValue: 1)
                ).encoded(payload: next)
                try session.raw(
                    Array(([UInt8(ascii: "d"), 0, 0, 0, UInt8(cut.count + 4)] + cut).prefix(session.number))
                )
                session.close()
            }
        ) { upstream, receiver in
            try receiver.waitForDurable(craft.position, within: 60)
            expectWhole(craft, receiver)
            #expect(upstream.connections > 225)
        }
    }

    /// Seeded bit flips on the wire: never acknowledged, never kept.
    @Test func flippedBits() throws {
        let craft = threeSegments
        let positions: [Int] = [3, 47, 8200, 70_001, 500_000, 1_048_575, 1_048_577, 1_500_001, 2_222_222]
        try with(
            craft,
            stream: { session in
                guard session.number <= positions.count else { return try session.serve(craft) }
                let flipped = craft.start.advanced(by: UInt64(positions[session.number - 1]))
                var bytes = craft.bytes(from: session.position)
                if flipped >= session.position {
                    bytes[Int(flipped.bytes(since: session.position))] ^= 1 << (session.number % 8)
                }
                var at = session.position
                for begin in stride(from: 0, to: bytes.count, by: 9999) {
                    let part = Array(bytes[begin..<min(begin + 9999, bytes.count)])
                    try session.data(part, at: at)
                    at = at.advanced(by: UInt64(part.count))
                }
                try session.answer()
            }
        ) { upstream, receiver in
            try receiver.waitForDurable(craft.position, within: 60)
            expectWhole(craft, receiver)
            #expect(upstream.connections == positions.count + 1)
            let ends = Set(craft.records.map(\.end) + [craft.start, .invalid])
            #expect(upstream.replies.allSatisfy { ends.contains($0.flushed) })
        }
    }

    @Test func aStormOfKeepalives() throws {
        let craft = WALCraft(filledWith: 300_000)
        let asked = 20_000
        try with(
            craft,
            stream: { session in
                for _ in 0..<20 {
                    for _ in 0..<(asked / 20) { try session.keepalive(replyRequested: true) }
                    for _ in 0..<(asked / 20) { try session.nextReply() }
                }
                try session.serve(craft)
            }
        ) { upstream, receiver in
            try receiver.waitForDurable(craft.position, within: 60)
            #expect(upstream.replies.count >= asked)
            #expect(upstream.connections == 1)
        }
    }

    @Test func aSilentServerIsPingedAndLeft() throws {
        let craft = threeSegments
        try with(
            craft,
            stream: { session in
                guard session.number == 1 else { return try session.serve(craft) }
                try session.send(craft, to: LSN(0x100_4000))
                // Reads and says nothing.
                while true { try session.nextReply() }
            },
            configure: { options in
                options.pingAfterSeconds = 0.3
                options.silenceLimitSeconds = 0.8
                options.statusIntervalSeconds = 0
            }
        ) { upstream, receiver in
            try receiver.waitForDurable(craft.position)
            #expect(upstream.connections == 2)
            #expect(upstream.replies.contains { $0.replyRequested })
            #expect(receiver.log.contains("nothing was heard"))
        }
    }

    @Test func heartbeatsGiveTheServersClock() throws {
        let craft = WALCraft(filledWith: 100_000)
        try with(craft, configure: { $0.heartbeatIntervalSeconds = 0.2 }) { upstream, receiver in
            try eventually("a heartbeat; \(receiver.log)") { receiver.status?.heartbeatEnd == craft.position }
            #expect(receiver.status?.heartbeatClock != nil)
        }
    }

    /// Heartbeats are answered at once, with what was sent so far, however much is still to come.
    @Test func aHeartbeatWhileItCatchesUpSaysThatMoreIsToCome() throws {
        let craft = WALCraft(filledWith: 3 << 20)
        let middle = LSN(0x100_8000)
        let mayGoOn = Mutex(false)
        try with(
            craft,
            stream: { session in
                try session.data(craft.bytes(from: craft.start, to: middle), at: craft.start)
                while !mayGoOn.withLock({ $0 }) {
                    if try session.nextReply().replyRequested { try session.keepalive(end: middle) }
                }
                try session.data(craft.bytes(from: middle), at: middle)
                try session.answer()
            },
            configure: { $0.heartbeatIntervalSeconds = 0.05 }
        ) { upstream, receiver in
            try eventually("heartbeats; \(receiver.log)") {
                upstream.replies.count { $0.replyRequested } > 6 && receiver.status?.heartbeatEnd != nil
            }
            let status = try #require(receiver.status)
            #expect(status.heartbeatEnd == craft.position)
            #expect(status.upstreamEnd == craft.position)
            #expect(status.received == middle)
            #expect(status.state == .catchingUp)
            mayGoOn.withLock { $0 = true }
            try receiver.waitForDurable(craft.position)
            try eventually("it has caught up; \(receiver.log)") { receiver.status?.state == .streaming }
            #expect(receiver.status?.heartbeatEnd == craft.position)
        }
    }

    @Test func malformedMessagesEndTheConnection() throws {
        let craft = threeSegments
        let bad: [[UInt8]] = [
            [UInt8(ascii: "w")], Array("k1234".utf8), Array("zzz".utf8), [UInt8](repeating: 0, count: 100),
            [UInt8(ascii: "w")] + [UInt8](repeating: 0xFF, count: 60),
        ]
        try with(
            craft,
            stream: { session in
                guard session.number <= bad.count else { return try session.serve(craft) }
                try session.copyData(bad[session.number - 1])
                try session.answer()
            }
        ) { upstream, receiver in
            try receiver.waitForDurable(craft.position)
            #expect(upstream.connections == bad.count + 1)
        }
    }

    @Test func anOrderlyShutdownIsFollowedByANewConnection() throws {
        let craft = threeSegments
        try with(
            craft,
            stream: { session in
                guard session.number == 1 else { return try session.serve(craft) }
                try session.send(craft, to: LSN(0x118_0000))
                let end = craft.records.last { $0.end <= LSN(0x118_0000) }?.end
                try session.keepalive(replyRequested: true)
                try session.waitForReply { $0.flushed == end }
                try session.shutDown()
            }
        ) { upstream, receiver in
            try receiver.waitForDurable(craft.position)
            #expect(upstream.connections == 2)
            #expect(receiver.log.contains("shut down"))
            expectWhole(craft, receiver)
        }
    }

    @Test func aRecordAcrossSegmentsHoldsTheirNamesBack() throws {
        var craft = WALCraft(filledWith: 900_000)
        craft.filler(byteCount: 2_400_000)
        craft.fill(byteCount: 300_000)
        let whole = craft
        let cut = LSN(0x130_0000)
        let goOn = Mutex(false)
        try with(
            whole,
            stream: { session in
                try session.send(whole, to: cut)
                try eventually("the rest is asked for") { goOn.withLock { $0 } }
                try session.serve(whole)
            }
        ) { upstream, receiver in
            try eventually("three full partial segments") {
                receiver.files.filter { receiver.bytes($0)?.count == 1 << 20 }.count == 3
            }
            #expect(receiver.completeFiles.isEmpty)
            let before = whole.records.last { $0.end < cut }?.end ?? .invalid
            #expect((upstream.replies.last?.flushed ?? .invalid) <= before)
            goOn.withLock { $0 = true }
            try receiver.waitForDurable(whole.position)
            #expect(receiver.stop() == 0)
            expectWhole(whole, receiver)
            #expect(receiver.completeFiles.count == 3)
        }
    }

    @Test func aTimelineSwitchIsFollowed() throws {
        var old = WALCraft(filledWith: 1_500_000)
        let fork = old.position
        var new = old
        old.fill(byteCount: 1000)
        new.timeline = TimelineID(2)
        new.fill(byteCount: 1_700_000)
        let (first, second) = (old, new)
        let history = "1\t\(fork)\tno recovery target specified\n"
        try with(
            first,
            stream: { session in
                if session.timeline == TimelineID(1) {
                    try session.send(first, to: fork)
                    session.upstream.change { answers in
                        answers.histories[TimelineID(2)] = history
                        answers.flushed = second.position
                    }
                    try session.endTimeline(next: TimelineID(2), at: fork)
                } else {
                    try session.serve(second)
                }
            }
        ) { upstream, receiver in
            try eventually("the new timeline; \(receiver.log)") {
                receiver.status?.timeline == TimelineID(2) && receiver.status?.durable == second.position
            }
            #expect(upstream.connections == 1)
            #expect(receiver.bytes("00000002.history") == Data(history.utf8))
            #expect(receiver.files.contains("000000010000000000000011.partial"))
            #expect(receiver.files.contains("000000020000000000000011"))
            #expect(!receiver.files.contains("000000010000000000000011"))
            #expect(receiver.stop() == 0)
            // Acknowledged positions never went back.
            let flushed = upstream.replies.map(\.flushed)
            #expect(flushed == flushed.sorted())
        }
    }
}
