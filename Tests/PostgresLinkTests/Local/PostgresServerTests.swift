import ArchiveTesting
import Foundation
import Platform
import PostgresLink
import Testing

@Suite("Local servers", .enabled(if: TestEnvironment.hasPostgres, TestEnvironment.noPostgres))
struct PostgresServerTests {
    @Test(.keepsEvidence) func aServerStartsIsFoundAndStops() throws {
        try LocalServerFixture.with { fixture in
            #expect(PostgresServer.find(dataDirectory: fixture.launch.dataDirectory) == nil)
            fixture.launch.settings.append(("work_mem", "7MB"))
            let server = try fixture.started()
            #expect(server.status == .ready)
            let found = try #require(PostgresServer.find(dataDirectory: fixture.launch.dataDirectory))
            #expect(found.identity == server.identity)
            #expect(found.port == fixture.launch.port)
            #expect(found.socketDirectory == fixture.launch.socketDirectory)
            let connection = try fixture.connect(found)
            #expect(try connection.value("SHOW work_mem") == "7MB")
            #expect(try connection.value("SHOW lc_messages") == "C")
            #expect(throws: LinkError.self) { try PostgresServer.start(fixture.launch) }
            try found.waitUntilReady(timeoutSeconds: 5)
            try server.stop(.fast, timeoutSeconds: 30)
            #expect(server.exitStatus == .exited(0))
            #expect(!server.isAlive)
            #expect(PostgresServer.find(dataDirectory: fixture.launch.dataDirectory) == nil)
            #expect(!FileTree.exists("\(fixture.launch.dataDirectory)/postmaster.pid"))
        }
    }

    @Test(.keepsEvidence) func pathsMayHoldAnything() throws {
        try LocalServerFixture.with(name: "a b \"c\" = $d") { fixture in
            let server = try fixture.started()
            #expect(try fixture.connect(server).value("SELECT 1") == "1")
            try server.stop(timeoutSeconds: 30)
        }
    }

    @Test(.keepsEvidence) func reloadingReadsTheFiles() throws {
        try LocalServerFixture.with { fixture in
            let server = try fixture.started()
            let connection = try fixture.connect(server)
            try connection.execute("ALTER SYSTEM SET work_mem = '9MB'")
            try server.reload()
            try eventually(within: 10, "the new value") { try connection.value("SHOW work_mem") == "9MB" }
            try server.stop(timeoutSeconds: 30)
        }
    }

    @Test(.keepsEvidence) func aSmartStopWaitsForClients() throws {
        try LocalServerFixture.with { fixture in
            let server = try fixture.started()
            let connection = try fixture.connect(server)
            let error = #expect(throws: LinkError.self) { try server.stop(.smart, timeoutSeconds: 0.3) }
            #expect(error?.kind == .timedOut)
            #expect(server.isAlive)
            connection.close()
            #expect(server.waitForExit(timeoutSeconds: 30))
        }
    }

    @Test(.keepsEvidence) func aStandbyIsReadyAndPromotes() throws {
        try LocalServerFixture.with { fixture in
            try fixture.becomeStandby()
            fixture.launch.settings.append(("restore_command", "false"))
            let server = try fixture.started()
            let connection = try fixture.connect(server)
            #expect(try connection.value("SELECT pg_is_in_recovery()") == "t")
            try server.promote()
            try eventually(within: 20, "promoted") { try connection.value("SELECT pg_is_in_recovery()") == "f" }
            try server.stop(.immediate, timeoutSeconds: 30)
        }
    }

    @Test(.keepsEvidence) func waitingCanBeEnded() throws {
        try LocalServerFixture.with { fixture in
            try fixture.becomeStandby()
            fixture.launch.settings += [("restore_command", "false"), ("hot_standby", "off")]
            let server = try PostgresServer.start(fixture.launch)
            try eventually("the standby runs") { server.status == .standby }
            var ticks = 0
            let late = #expect(throws: LinkError.self) {
                try server.waitUntilReady(timeoutSeconds: 1.5, whileWaiting: { ticks += 1 })
            }
            #expect(late?.kind == .timedOut)
            #expect(ticks >= 1)
            let event = try EventDescriptor()
            event.signal()
            let error = #expect(throws: LinkError.self) {
                try server.waitUntilReady(timeoutSeconds: nil, interrupt: event.raw)
            }
            #expect(error?.kind == .cancelled)
            try server.stop(.immediate, timeoutSeconds: 30)
        }
    }

    @Test(.keepsEvidence) func aRefusedStartGivesItsReason() throws {
        try LocalServerFixture.with { fixture in
            let good = fixture.launch
            fixture.launch.settings.append(("no_such_setting", "1"))
            let early = #expect(throws: LinkError.self) { try fixture.started() }
            #expect(early?.kind == .local)
            #expect(early?.log.contains { $0.contains("no_such_setting") } ?? false)

            // After the collector took over, the reason is in the CSV log only.
            fixture.launch = good
            try fixture.touch("recovery.signal")
            let late = #expect(throws: LinkError.self) { try fixture.started() }
            #expect(late?.kind == .local)
            #expect(late?.log.contains { $0.hasPrefix("FATAL: ") && $0.contains("restore_command") } ?? false)
            #expect(!(late?.log.contains { $0.contains("no_such_setting") } ?? true), "only what this start said")
        }
    }

    @Test func aMissingProgramIsSaid() throws {
        try LocalServerFixture.with { fixture in
            fixture.launch.dataDirectory += "/nowhere"
            #expect(throws: LinkError.self) { try fixture.started() }
        }
    }

    @Test func aLongSocketPathIsRefusedBeforeTheStart() throws {
        let long = "/tmp/" + String(repeating: "x", count: 110)
        #expect(!SocketDirectory.isShortEnough(long))
        #expect(SocketDirectory.isShortEnough("/tmp"))
        let limit = String(repeating: "y", count: SocketDirectory.pathLimitBytes - "/.s.PGSQL.65535".utf8.count)
        #expect(SocketDirectory.isShortEnough(limit))
        #expect(!SocketDirectory.isShortEnough(limit + "y"))
        try LocalServerFixture.with { fixture in
            fixture.launch.socketDirectory = long
            let error = #expect(throws: LinkError.self) { try PostgresServer.start(fixture.launch) }
            #expect(error?.message.contains("107") ?? false)
            fixture.launch.socketDirectory = "/tmp/a,b"
            #expect(throws: LinkError.self) { try PostgresServer.start(fixture.launch) }
        }
    }

    @Test(.keepsEvidence) func theLogIsRead() throws {
        try LocalServerFixture.with { fixture in
            let server = try fixture.started()
            let connection = try fixture.connect(server)
            #expect(throws: LinkError.self) { try connection.execute("SELECT 'a\n\"b\"', 1/0") }
            let log = ServerLog(directory: try #require(fixture.launch.logDirectory))
            try eventually("the error is logged") { log.tail(50).contains { $0.sqlState == "22012" } }
            let file = try #require(log.newestFile())
            let days = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
            #expect(days.contains { file.hasSuffix("postgresql-\($0).csv") })
            #expect(log.tail(1).count == 1)
            try server.stop(.immediate, timeoutSeconds: 30)
        }
    }
}
