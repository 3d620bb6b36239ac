import ArchiveEngine
import ArchiveModel
import ArchiveTesting
import Foundation
import PostgresLink
import Testing
import WALFormat

/// The receiver when the disk is full, slow or broken.
@Suite(.serialized)
struct ReceiverDiskTests {
    @Test(
        .enabled(if: TestEnvironment.canMount, TestEnvironment.noMount),
        arguments: [
            TestFilesystem.Kind.tmpfs, .btrfs,
        ]
    )
    func aFullDiskPausesAndGoesOnByItself(kind: TestFilesystem.Kind) throws {
        let craft = WALCraft(filledWith: 12 << 20)
        try TestDirectory.with { directory in
            try TestFilesystem.with(kind, in: directory, megabytes: kind == .tmpfs ? 20 : 256) { disk in
                let upstream = try FakeUpstream(craft)
                defer { upstream.close() }
                // Room for a part only.
                let ballast = "\(disk.path)/ballast"
                try fill(ballast, leaving: 4 << 20, on: disk.path)
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
                    try eventually(within: 60, "disk full; \(status.log)") { status.value?.state == .diskFull }
                    let before = upstream.replies.count
                    try eventually("replies go on") { upstream.replies.count >= before + 5 }
                    #expect(upstream.connections == 1)
                    let acknowledged = upstream.replies.last?.flushed ?? .invalid
                    #expect(acknowledged < craft.position)
                    try FileManager.default.removeItem(atPath: ballast)
                    try eventually(within: 60, "all received; \(status.log)") {
                        status.value?.durable == craft.position
                    }
                    #expect(upstream.connections == 1)
                    #expect(receiver.stop() == 0)
                    for name in craft.completeSegments {
                        #expect(receiver.bytes("\(name)") == Data(craft.content(of: name)), "\(name)")
                    }
                    #expect(status.log.contains("there is room again"))
                }
            }
        }
    }

    /// A sync that fails once: nothing is acknowledged, the segment is set aside and received anew.
    @Test(arguments: ["segment.sync", "segment.write"], [1, 2, 4])
    func aFailedSyncIsNeverTakenForGood(point: String, passage: Int) throws {
        let craft = WALCraft(filledWith: 3 << 20)
        try withProcess(craft, fault: "\(point)=error@\(passage)") { upstream, process, directory in
            try waitForAll(craft, upstream, process)
            let files = try FileManager.default.contentsOfDirectory(atPath: directory)
            #expect(files.filter { $0.hasSuffix(".partial.suspect-1") }.count == 1, "\(files)")
            expectSegments(craft, directory)
            kill(-process.pid, SIGTERM)
            let status1 = try process.wait().status
            #expect(status1 == 0)
            let ends = Set(craft.records.map(\.end) + [.invalid])
            #expect(upstream.replies.allSatisfy { ends.contains($0.flushed) })
        }
    }

    /// A write within a segment of many blocks that fails: that segment, and no other, is set aside and received anew.
    @Test func aFailedWriteIsNeverTakenForGood() throws {
        var craft = WALCraft(start: LSN(0x100_0000), segmentSize: try #require(SegmentSize(bytes: 4 << 20)))
        craft.fill(byteCount: 14 << 20)
        let made = craft
        try withProcess(made, fault: "segment.write=error@7") { upstream, process, directory in
            try waitForAll(made, upstream, process)
            let files = try FileManager.default.contentsOfDirectory(atPath: directory)
            #expect(files.filter { $0.contains(".suspect-") }.count == 1, "\(files)")
            #expect(upstream.connections == 2)
            expectSegments(made, directory)
        }
    }

    /// A sync that fails at the start: what may be lost is received anew, and only that.
    @Test func aFailedSyncAtTheStartIsNeverTakenForGood() throws {
        let craft = WALCraft(filledWith: 2 << 20)
        try withProcess(craft, fault: nil) { upstream, process, directory in
            try waitForAll(craft, upstream, process)
            kill(-process.pid, SIGTERM)
            try process.wait()
            let connections = upstream.connections
            let again = try start(craft, upstream, directory, fault: "tail.sync=error@2")
            try waitForAll(craft, upstream, again, after: connections)
            kill(-again.pid, SIGTERM)
            let status = try again.wait().status
            #expect(status == 0)
            let files = try FileManager.default.contentsOfDirectory(atPath: directory)
            #expect(files.filter { $0.hasSuffix(".partial.suspect-1") }.count == 1, "\(files)")
            expectSegments(craft, directory)
        }
    }

    /// A complete segment was synced before it was named: a sync that fails now takes nothing out of the archive.
    @Test func aCompleteSegmentIsNotSetAside() throws {
        let craft = WALCraft(filledWith: 2 << 20)
        try withProcess(craft, fault: nil) { upstream, process, directory in
            try waitForAll(craft, upstream, process)
            kill(-process.pid, SIGTERM)
            try process.wait()
            let before = try FileManager.default.contentsOfDirectory(atPath: directory).sorted()
            let connections = upstream.connections
            let again = try start(craft, upstream, directory, fault: "tail.sync=error@1")
            try waitForAll(craft, upstream, again, after: connections)
            kill(-again.pid, SIGTERM)
            let status = try again.wait().status
            #expect(status == 0)
            let files = try FileManager.default.contentsOfDirectory(atPath: directory).sorted()
            #expect(files == before)
            #expect(again.error.contains("tail.sync"))
            expectSegments(craft, directory)
        }
    }

    /// Killed at each named place; what was acknowledged is there, and it goes on to the same bytes.
    @Test(
        arguments: ["segment.write", "segment.sync", "segment.beforeRename", "durable.renamed", "segment.afterRename"],
        [1, 3]
    )
    func killedAtEachPlace(point: String, passage: Int) throws {
        try killed("\(point)=exit@\(passage)")
    }

    /// Where a rename cannot but overwrite, a segment has two names for a moment.
    @Test(arguments: [1, 3])
    func killedBetweenTwoNames(passage: Int) throws {
        try killed("durable.noReplace=unsupported@\(passage),durable.linked=exit")
    }

    private func killed(_ fault: String) throws {
        let craft = WALCraft(filledWith: 4 << 20)
        try withProcess(craft, fault: fault) { upstream, process, directory in
            let status2 = try process.wait(deadline: 30).status
            #expect(status2 == 86)
            let acknowledged = upstream.replies.map(\.flushed).max() ?? .invalid
            #expect(validEnd(craft, directory) >= acknowledged)
            let connections = upstream.connections
            let again = try start(craft, upstream, directory, fault: nil)
            try waitForAll(craft, upstream, again, after: connections)
            kill(-again.pid, SIGTERM)
            let status3 = try again.wait().status
            #expect(status3 == 0)
            expectSegments(craft, directory)
        }
    }

    /// kill -9 before the N-th call of each kind.
    @Test(
        .enabled(if: TestEnvironment.hasStrace, TestEnvironment.noStrace),
        arguments: ["pwrite64", "fdatasync", "fsync", "renameat2", "openat", "ftruncate"]
    )
    func killedAtEachCall(call: String) throws {
        let craft = WALCraft(filledWith: 3 << 20)
        for number in [1, 2, 3, 5, 9, 14] {
            try withProcess(craft, fault: nil, strace: "inject=\(call):signal=KILL:when=\(number)") {
                upstream,
                process,
                directory in
                // With few such calls it is not killed at all.
                try eventually(within: 60, "killed or done") {
                    !process.isRunning || upstream.replies.last?.flushed == craft.position
                }
                kill(-process.pid, SIGKILL)
                try process.wait()
                let acknowledged = upstream.replies.map(\.flushed).max() ?? .invalid
                #expect(validEnd(craft, directory) >= acknowledged, "\(call) \(number)")
                let connections = upstream.connections
                let again = try start(craft, upstream, directory, fault: nil)
                try waitForAll(craft, upstream, again, after: connections)
                kill(-again.pid, SIGTERM)
                let status4 = try again.wait().status
                #expect(status4 == 0)
                expectSegments(craft, directory)
            }
        }
    }

    /// A disk that takes seconds for each sync: replies go on meanwhile, with what is durable.
    @Test(.enabled(if: TestEnvironment.hasStrace, TestEnvironment.noStrace))
    func aSlowDiskDelaysNoReply() throws {
        let craft = WALCraft(filledWith: 5 << 20)
        try withProcess(
            craft,
            fault: nil,
            strace: "inject=fdatasync:delay_enter=4000000:when=1..3"
        ) { upstream, process, directory in
            try eventually("streaming") { upstream.replies.count > 1 }
            let before = upstream.replies.count
            let began = ContinuousClock.now
            // One a second: replies that waited for a sync would come every four.
            try eventually("replies") { upstream.replies.count >= before + 6 }
            #expect(ContinuousClock.now - began < .seconds(10))
            try waitForAll(craft, upstream, process)
            #expect(upstream.connections == 1)
            kill(-process.pid, SIGTERM)
            try process.wait()
            expectSegments(craft, directory)
        }
    }

    // MARK: - A receiver as a process

    func withProcess(
        _ craft: WALCraft,
        stream: FakeUpstream.Stream? = nil,
        fault: String?,
        mark: String? = nil,
        strace: String? = nil,
        _ body: (FakeUpstream, TestProcess, String) throws -> Void
    ) throws {
        try TestDirectory.with { directory in
            let upstream = try FakeUpstream(craft, stream: stream)
            defer { upstream.close() }
            let archive = try directory.subdirectory("wal")
            let process = try start(craft, upstream, archive, fault: fault, mark: mark, strace: strace)
            defer {
                kill(-process.pid, SIGKILL)
                _ = try? process.wait()
            }
            try body(upstream, process, archive)
        }
    }

    func start(
        _ craft: WALCraft,
        _ upstream: FakeUpstream,
        _ directory: String,
        fault: String?,
        mark: String? = nil,
        strace: String? = nil
    ) throws -> TestProcess {
        var words =
            [try BuiltPrograms.pgarchive(), "wal_archive", "receive", "-D", directory, "-S", "arc"]
            + ["-d", upstream.connection, "-s", "1"]
        if let strace {
            words =
                ["/usr/bin/strace", "-f", "-qq", "-o", "/dev/null", "-P", directory]
                + archivePaths(craft, directory) + ["-e", "trace=\(tracedCall(strace))", "-e", strace] + words
        }
        var command = TestCommand(words[0], Array(words.dropFirst()))
        if let fault { command.environment["PGARCHIVE_FAULT"] = fault }
        if let mark { command.environment["PGARCHIVE_FAULT_MARK"] = mark }
        return try command.start()
    }

    private func tracedCall(_ inject: String) -> String {
        String(inject.dropFirst("inject=".count).prefix { $0 != ":" })
    }

    /// strace looks only at calls on these, so that the same numbers hit the same calls.
    private func archivePaths(_ craft: WALCraft, _ directory: String) -> [String] {
        let first = craft.segmentSize.number(of: craft.start)
        return (first..<(first + 6)).flatMap { number in
            let name = SegmentName(timeline: craft.timeline, number: number, size: craft.segmentSize)
            return ["-P", "\(directory)/\(name)", "-P", "\(directory)/\(name).partial"]
        }
    }

    /// Waits until the upstream has heard from this process that all is durable.
    func waitForAll(
        _ craft: WALCraft,
        _ upstream: FakeUpstream,
        _ process: TestProcess,
        after connections: Int = 0
    ) throws {
        try eventually(within: 60, "all is acknowledged") {
            guard process.isRunning else { throw TestFailure("ended: \(process.error)") }
            return upstream.connections > connections
                && upstream.repliesOfLastConnection.last?.flushed == craft.position
        }
    }

    func expectSegments(_ craft: WALCraft, _ directory: String) {
        for name in craft.completeSegments {
            let bytes = FileManager.default.contents(atPath: "\(directory)/\(name)")
            #expect(bytes == Data(craft.content(of: name)), "\(name)")
        }
    }

    /// Up to where the archive holds what was made, as its files are.
    func validEnd(_ craft: WALCraft, _ directory: String) -> LSN {
        var position = craft.start
        while position < craft.position {
            let name = SegmentName(timeline: craft.timeline, containing: position, size: craft.segmentSize)
            let file =
                FileManager.default.contents(atPath: "\(directory)/\(name)")
                ?? FileManager.default.contents(atPath: "\(directory)/\(name).partial")
            guard let file else { return position }
            let made = Data(craft.content(of: name))
            let same = zip(file, made).prefix { $0 == $1 }.count
            position = position.advanced(by: UInt64(same))
            if same < Int(craft.segmentSize.bytes) { return position }
        }
        return position
    }

    /// A file that leaves about so many bytes free.
    func fill(_ path: String, leaving bytes: Int, on directory: String) throws {
        let handle = try #require(fopen(path, "w"))
        defer { fclose(handle) }
        let block = (0..<(1 << 20)).map { _ in UInt8.random(in: 0...255) }
        while try freeBytes(directory) > bytes + block.count {
            guard fwrite(block, 1, block.count, handle) == block.count, fflush(handle) == 0 else { break }
            fsync(fileno(handle))
        }
    }

    private func freeBytes(_ directory: String) throws -> Int {
        let values = try FileManager.default.attributesOfFileSystem(forPath: directory)
        return (values[.systemFreeSize] as? NSNumber)?.intValue ?? 0
    }
}

/// A status file and the log beside it.
struct StatusOf {
    let path: String

    init(_ path: String) { self.path = path }

    var value: ReceiverStatus? {
        FileManager.default.contents(atPath: path).flatMap { try? JSONDecoder().decode(ReceiverStatus.self, from: $0) }
    }

    var log: String {
        let path = (path as NSString).deletingLastPathComponent + "/log"
        return (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
    }
}
