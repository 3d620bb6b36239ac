import ArchiveEngine
import ArchiveModel
import ArchiveTesting
import Foundation
import PostgresLink
import Testing
import WALFormat

/// The upstream's side of a conversation, cut after each of its bytes: nothing is lost, nothing acknowledged too early.
struct ReceiverCutTests {
    /// A directory where a sync costs nothing: there are thousands of connections.
    private static func memory(_ directory: TestDirectory) throws -> String {
        guard FileManager.default.isWritableFile(atPath: "/dev/shm") else { return try directory.subdirectory("cut") }
        let path = "/dev/shm/\(directory.path.split(separator: "/").last ?? "pgt")"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        return path
    }

    /// Connection after connection, each one byte longer: through the login, all answers, and each message of a stream.
    @Test(.timeLimit(.minutes(10)))
    func eachByteOfAStream() throws {
        let craft = WALCraft(filledWith: 1 << 20 + 4321, recordBytes: 90)
        let ends = Set(craft.records.map(\.end))
        try TestDirectory.with { directory in
            let upstream = try FakeUpstream(craft) { session in
                // Every kind of message, again and again, with data cut anywhere, also within a record's header.
                var round = 0
                while session.position < craft.position {
                    let step = UInt64([1, 7, 24, 333, 8192][round % 5])
                    let next = min(session.position.advanced(by: step), craft.position)
                    try session.keepalive(replyRequested: round % 2 == 0)
                    try session.send(craft, to: next)
                    round += 1
                }
                try session.answer()
            }
            defer { upstream.close() }
            let last = 1200
            upstream.change { $0.cutAfter = { $0 <= last ? $0 - 1 : nil } }
            let memory = try Self.memory(directory)
            defer { try? FileManager.default.removeItem(atPath: memory) }
            let archive = "\(memory)/wal"
            try withReceiver(
                upstream.connection,
                into: archive,
                configure: { options in
                    options.slot = SlotName("arc")
                    options.shortestRetrySeconds = 0.000_01
                }
            ) { receiver in
                try receiver.waitForDurable(craft.position, within: 500)
                #expect(upstream.connections > last)
                #expect(receiver.stop() == 0)
                for name in craft.completeSegments {
                    let isSame = receiver.bytes("\(name)") == Data(craft.content(of: name))
                    #expect(isSame, "\(name)")
                }
                let flushed = Set(upstream.replies.map(\.flushed).filter(\.isValid))
                #expect(flushed.isSubset(of: ends.union([craft.start])), "\(flushed.subtracting(ends).sorted())")
            }
        }
    }

    /// The end of a timeline, with its history and the next one's stream; each time in a directory of its own.
    @Test(.timeLimit(.minutes(10)))
    func eachByteOfAChangeOfTimelines() throws {
        let craft = WALCraft(filledWith: 3000, recordBytes: 200)
        let fork = try #require(craft.records.last?.end)
        let history = "1\t\(fork)\tno recovery target specified\n"
        let next = TimelineID(2)
        try TestDirectory.with { directory in
            let memory = try Self.memory(directory)
            defer { try? FileManager.default.removeItem(atPath: memory) }
            // The login and the first answers are the other test's.
            var limit = 3450
            var isWhole = false
            while !isWhole {
                let cut = limit
                let upstream = try FakeUpstream(craft) { session in
                    try session.send(craft, to: session.timeline == next ? fork : nil, chunkBytes: 3000)
                    if session.timeline < next { try session.endTimeline(next: next, at: fork) }
                    try session.answer()
                }
                defer { upstream.close() }
                upstream.change {
                    $0.histories[next] = history
                    $0.cutAfter = { $0 == 1 ? cut : nil }
                }
                let archive = "\(memory)/wal-\(cut)"
                try withReceiver(
                    upstream.connection,
                    into: archive,
                    configure: { options in
                        options.slot = SlotName("arc")
                        options.shortestRetrySeconds = 0.000_01
                    }
                ) { receiver in
                    try eventually(within: 60, "timeline 2 after a cut at \(cut): \(receiver.log)") {
                        receiver.bytes(next.historyFileName) == Data(history.utf8)
                            && upstream.commands.last?.hasSuffix("TIMELINE 2") == true
                            && upstream.repliesOfLastConnection.last?.flushed == fork
                    }
                    isWhole = upstream.connections == 1
                    #expect(receiver.stop() == 0)
                    let first = SegmentName(timeline: TimelineID(1), containing: craft.start, size: craft.segmentSize)
                    let wanted = Data(craft.content(of: first))
                    let isSame = receiver.bytes("\(first).partial")?.prefix(wanted.count) == wanted
                    #expect(isSame, "after a cut at \(cut)")
                    #expect(upstream.replies.allSatisfy { $0.flushed <= fork })
                }
                try FileManager.default.removeItem(atPath: archive)
                // Data is the other test's too.
                limit += limit < 3950 ? 1 : 250
            }
            #expect(limit > 3950)
        }
    }
}
