import ArchiveEngine
import ArchiveModel
import ArchiveTesting
import Foundation
import Testing
import WALFormat

/// What a container's receiver says of a disk in trouble.
@Suite(.enabled(if: TestEnvironment.hasStrace, TestEnvironment.noStrace))
struct ReceiverTroubleTests {
    /// A sync that does not come back is no silent stall.
    @Test func aDiskThatDoesNotAnswerIsSaid() throws {
        try withContainer(strace: "inject=fdatasync:delay_enter=14000000:when=1") { craft, status in
            try eventually(within: 60, "it is said") {
                status()?.reason?.contains("the disk has not answered for") == true
            }
            let said = try #require(status())
            #expect(said.state == .streaming || said.state == .catchingUp)
            #expect(said.durable < craft.position)
            #expect(ReceiverStatus.standing(said, holder: 0, now: said.updatedAt).reason == said.reason)
            try eventually(within: 60, "it goes on") {
                status()?.durable == craft.position && status()?.reason == nil
            }
        }
    }

    /// Some filesystems notice only at the sync that they are full.
    @Test func aDiskThatIsFullAtTheSyncIsFull() throws {
        // Counted anew for each thread, so the first sync of each connection fails.
        try withContainer(strace: "inject=fdatasync:error=ENOSPC:when=1") { craft, status in
            try eventually(within: 60, "disk full") { status()?.state == .diskFull }
            let said = try #require(status())
            #expect(said.reason != nil)
            #expect(said.durable < craft.position)
            try eventually(within: 60, "it is tried again, and still full") {
                guard let now = status(), now.updatedAt > said.updatedAt else { return false }
                return now.state == .diskFull && now.heardAt ?? .init(rawValue: 0) > said.heardAt ?? now.updatedAt
            }
        }
    }

    /// Runs a container's receiver on a scripted upstream, with one call on its WAL tampered with.
    private func withContainer(
        strace: String,
        _ body: (WALCraft, @escaping () -> ReceiverStatus?) throws -> Void
    ) throws {
        let craft = WALCraft(filledWith: 300_000)
        try TestDirectory.with { directory in
            let upstream = try FakeUpstream(craft)
            defer { upstream.close() }
            let container = try ContainerFixture.container(
                in: directory,
                systemIdentifier: craft.systemIdentifier,
                upstreamReplication: upstream.connection
            )
            let paths = container.paths
            for path in [paths.walArchive, paths.log] {
                try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
            }
            try Data().write(to: URL(fileURLWithPath: paths.initMark))
            for path in try FileManager.default.subpathsOfDirectory(atPath: directory.path) {
                try TestDirectory.giveToOwner("\(directory.path)/\(path)")
            }
            let first = SegmentName(timeline: craft.timeline, containing: craft.start, size: craft.segmentSize)
            let call = strace.dropFirst("inject=".count).prefix { $0 != ":" }
            var command = TestCommand(
                "/usr/bin/strace",
                ["-f", "-qq", "-o", "/dev/null", "-P", "\(paths.walArchive)/\(first).partial"]
                    + ["-e", "trace=\(call)", "-e", strace]
                    + [try BuiltPrograms.pgarchive(), "wal_archive", "receive", "--container", directory.path]
            )
            command.user = .owner
            let process = try command.start()
            defer {
                kill(-process.pid, SIGKILL)
                _ = try? process.wait()
            }
            try body(craft) {
                guard process.isRunning else { return nil }
                return FileManager.default.contents(atPath: paths.receiverStatus).flatMap {
                    try? JSONDecoder().decode(ReceiverStatus.self, from: $0)
                }
            }
        }
    }
}
