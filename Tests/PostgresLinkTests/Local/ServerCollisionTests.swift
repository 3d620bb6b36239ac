import ArchiveTesting
import Glibc
import Platform
import PostgresLink
import Testing

@Suite("Servers in each other's way", .enabled(if: TestEnvironment.hasPostgres, TestEnvironment.noPostgres))
struct ServerCollisionTests {
    @Test(.keepsEvidence) func aSegmentThatSeemsItsOwnIsWaitedFor() throws {
        try LocalServerFixture.with { fixture in
            let segment = try ForeignSegment(of: fixture.launch.dataDirectory)
            defer { segment.remove() }
            let log = fixture.launch.logFile
            let remover = try OwnedThread.start(name: "remover") {
                try? eventually(within: 30, "a start that was refused") { try Self.refusals(log) > 0 }
                segment.remove()
            }
            let server = try brought(fixture.launch)
            remover.join()
            let refusals = try Self.refusals(log)
            #expect(refusals > 0)
            #expect(try fixture.connect(server).value("SELECT 1") == "1")
            try server.stop(.immediate, timeoutSeconds: 30)
        }
    }

    @Test(.keepsEvidence) func oneThatStaysIsTold() throws {
        try LocalServerFixture.with { fixture in
            let segment = try ForeignSegment(of: fixture.launch.dataDirectory)
            defer { segment.remove() }
            let error = #expect(throws: LinkError.self) { _ = try brought(fixture.launch) }
            #expect(error?.log.contains { $0.contains("pre-existing shared memory block") } == true)
            let refusals = try Self.refusals(fixture.launch.logFile)
            #expect(refusals == 6)
        }
    }

    @Test(.keepsEvidence) func anotherFaultIsNotTriedAgain() throws {
        try LocalServerFixture.with { fixture in
            fixture.launch.settings.append(("shared_preload_libraries", "no_such_library"))
            #expect(throws: LinkError.self) { _ = try brought(fixture.launch) }
            let fatal = try Self.lines(fixture.launch.logFile) { $0.contains("FATAL") }
            #expect(fatal == 1)
        }
    }

    private func brought(_ launch: ServerLaunch) throws -> RunningServer {
        try PostgresServer.start(launch) { server in
            try server.waitUntilReady(timeoutSeconds: 30)
            return server
        }
    }

    private static func refusals(_ log: String) throws -> Int {
        try lines(log) { $0.hasPrefix("F0001 ") && $0.contains("FATAL") }
    }

    private static func lines(_ log: String, _ isMeant: (Substring) -> Bool) throws -> Int {
        guard FileTree.exists(log) else { return 0 }
        return try FileTree.readText(log).split(separator: "\n").count(where: isMeant)
    }
}

/// A segment like that of a server which still runs in a data directory (PostgreSQL: pg_shmem.h, PGShmemHeader).
private struct ForeignSegment: @unchecked Sendable {
    private let identifier: Int32
    private let address: UnsafeMutableRawPointer

    init(of dataDirectory: String) throws {
        var status = stat()
        try #require(stat(dataDirectory, &status) == 0)
        identifier = shmget(key_t(truncatingIfNeeded: status.st_ino), 56, IPC_CREAT | IPC_EXCL | 0o666)
        try #require(identifier >= 0, "the key is in use: errno \(errno)")
        address = try #require(shmat(identifier, nil, 0))
        address.storeBytes(of: 679_834_894, as: Int32.self)
        address.storeBytes(of: getpid(), toByteOffset: 4, as: Int32.self)
        address.storeBytes(of: UInt64(status.st_dev), toByteOffset: 40, as: UInt64.self)
        address.storeBytes(of: UInt64(status.st_ino), toByteOffset: 48, as: UInt64.self)
    }

    func remove() {
        shmdt(address)
        shmctl(identifier, IPC_RMID, nil)
    }
}
