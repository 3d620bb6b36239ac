import ArchiveTesting
import Foundation
import Platform
import PostgresLink
import Testing

@Suite("What a dead server leaves", .enabled(if: TestEnvironment.hasPostgres, TestEnvironment.noPostgres))
struct ServerRemainsTests {
    @Test(.keepsEvidence) func aKilledServerStartsAgainAtOnce() throws {
        try LocalServerFixture.with { fixture in
            var zombies: [RunningServer] = []
            for _ in 0..<3 {
                let server = try fixture.started()
                zombies.append(server)
                let connection = try fixture.connect(server)
                try connection.execute("CREATE TABLE IF NOT EXISTS t (n int); INSERT INTO t VALUES (1)")
                #expect(kill(server.pid, SIGKILL) == 0)
                try eventually("dead") { ProcessIdentity.of(server.pid)?.isAlive != true }
                #expect(FileTree.exists("\(fixture.launch.dataDirectory)/postmaster.pid"))
                #expect(PostgresServer.find(dataDirectory: fixture.launch.dataDirectory) == nil)
            }
            let server = try fixture.started()
            #expect(try fixture.connect(server).value("SELECT count(*) FROM t") == "3")
            try server.stop(timeoutSeconds: 30)
            for zombie in zombies { #expect(zombie.exitStatus == .signalled(SIGKILL)) }
        }
    }

    /// Its parent never asks for its end; PostgreSQL itself would take the zombie for a running server.
    @Test(.keepsEvidence) func aZombieIsDead() throws {
        try LocalServerFixture.with { fixture in
            let program = fixture.launch.installation.tool("postgres")
            let command = "'\(program)' -D '\(fixture.cluster.data)' & exec sleep 600"
            let parent = try TestCommand("/bin/sh", ["-c", command]).start()
            defer {
                parent.signal(SIGKILL)
                _ = try? parent.wait(deadline: 10)
            }
            try eventually("ready") { PostgresServer.find(dataDirectory: fixture.cluster.data)?.status == .ready }
            let server = try #require(PostgresServer.find(dataDirectory: fixture.cluster.data))
            kill(server.pid, SIGKILL)
            try eventually("a zombie") { ProcessStat.read(server.pid)?.isDead == true }
            #expect(kill(server.pid, 0) == 0)
            #expect(!server.isAlive)
            #expect(server.waitForExit(timeoutSeconds: 1))
            #expect(PostgresServer.find(dataDirectory: fixture.cluster.data) == nil)
            let again = try fixture.started()
            #expect(try fixture.connect(again).value("SELECT 1") == "1")
            #expect(ProcessStat.read(server.pid)?.isDead == true, "it was a zombie all the time")
            try again.stop(.immediate, timeoutSeconds: 30)
        }
    }

    /// The lowest number has no magnitude in its own type.
    @Test(.keepsEvidence, arguments: ["-2147483648", "2147483648", "-", ""])
    func aFileThatNamesNoProcess(_ number: String) throws {
        try LocalServerFixture.with { fixture in
            let file = "\(fixture.cluster.data)/postmaster.pid"
            try SpoiltFile.write("\(number)\n\(fixture.cluster.data)\n1\n5432\n", to: file)
            try PostgresServer.clearRemains(dataDirectory: fixture.cluster.data)
            #expect(!FileTree.exists(file))
        }
    }

    /// As in a supervisor, which starts a server and later looks for it.
    @Test(.keepsEvidence) func aServerThatNobodyHoldsIsReaped() throws {
        try LocalServerFixture.with { fixture in
            let pid = try fixture.started().pid
            kill(pid, SIGKILL)
            try eventually("reaped by looking for it") {
                PostgresServer.find(dataDirectory: fixture.cluster.data) == nil && ProcessIdentity.of(pid) == nil
            }
        }
    }

    /// The startup process waits for its command and only then notices that its postmaster is dead.
    @Test(.keepsEvidence) func orphansAreWaitedFor() throws {
        try LocalServerFixture.with { fixture in
            try fixture.becomeStandby()
            let good = fixture.launch
            fixture.launch.settings.append(("restore_command", "sleep 2; false"))
            let server = try PostgresServer.start(fixture.launch)
            try eventually("the command runs") {
                ProcessTable.all().contains {
                    $0.arguments.first == "sleep" && $0.workingDirectory == fixture.cluster.data
                }
            }
            #expect(kill(server.pid, SIGKILL) == 0)
            try eventually("the postmaster is dead") { !server.isAlive }
            fixture.launch = good
            fixture.launch.settings.append(("restore_command", "false"))
            let again = try fixture.started()
            #expect(try fixture.connect(again).value("SELECT 1") == "1")
            try again.stop(.immediate, timeoutSeconds: 30)
        }
    }

    @Test(.keepsEvidence) func orphansThatStayAreKilled() throws {
        try LocalServerFixture.with { fixture in
            try fixture.becomeStandby()
            fixture.launch.settings.append(("restore_command", "exec sleep 600"))
            let server = try PostgresServer.start(fixture.launch)
            func sleepers() -> [SeenProcess] {
                ProcessTable.all().filter {
                    $0.isAlive && $0.arguments.first == "sleep" && $0.workingDirectory == fixture.cluster.data
                }
            }
            try eventually("the command runs") { !sleepers().isEmpty }
            #expect(kill(server.pid, SIGKILL) == 0)
            try eventually("the postmaster is dead") { !server.isAlive }
            try PostgresServer.clearRemains(dataDirectory: fixture.cluster.data, timeoutSeconds: 2)
            let servers = ProcessTable.living(in: fixture.cluster.data).filter { $0.arguments.first != "sleep" }
            #expect(servers.isEmpty)
            #expect(!FileTree.exists("\(fixture.cluster.data)/postmaster.pid"))
            for sleeper in sleepers() { kill(sleeper.pid, SIGKILL) }
        }
    }

    @Test(.keepsEvidence) func foreignProcessesAreNoServerOfOurs() throws {
        try TestDirectory.with { directory in
            let other = try LocalServerFixture(in: directory, name: "other")
            let fixture = try LocalServerFixture(in: directory, name: "mine")
            defer {
                other.cluster.destroy()
                fixture.cluster.destroy()
            }
            let running = try other.started()
            // Ourselves; a server elsewhere; a number that nobody has.
            for pid in [getpid(), running.pid, 4_000_000] {
                let text = "\(pid)\n\(fixture.cluster.data)\n1\n\(fixture.launch.port)\n\(fixture.cluster.sockets)\n"
                for path in [
                    "\(fixture.cluster.data)/postmaster.pid",
                    "\(fixture.cluster.sockets)/.s.PGSQL.\(fixture.launch.port).lock",
                ] {
                    try TestCommand("/bin/sh", ["-c", "cat > '\(path)'"]).succeed(input: text)
                }
                #expect(PostgresServer.find(dataDirectory: fixture.cluster.data) == nil)
                let server = try fixture.started()
                #expect(PostgresServer.find(dataDirectory: fixture.cluster.data)?.identity == server.identity)
                try server.stop(timeoutSeconds: 30)
            }
            #expect(running.isAlive)
            try running.stop(.immediate, timeoutSeconds: 30)
        }
    }

    /// A live copy has the server's postmaster.pid, but is another directory.
    @Test(.keepsEvidence) func aCopyOfARunningServerDoesNotRun() throws {
        try LocalServerFixture.with { fixture in
            let server = try fixture.started()
            let copy = "\(fixture.cluster.root)/copy"
            try TestCommand("/bin/mkdir", ["-m", "700", copy]).succeed()
            try TestCommand("/bin/cp", ["\(fixture.cluster.data)/postmaster.pid", copy]).succeed()
            #expect(PostgresServer.find(dataDirectory: copy) == nil)
            try PostgresServer.clearRemains(dataDirectory: copy)
            #expect(!FileTree.exists("\(copy)/postmaster.pid"))
            #expect(server.isAlive)
            // Another path to the same directory is the same server.
            try FileManager.default.createSymbolicLink(
                atPath: "\(fixture.cluster.root)/link",
                withDestinationPath: fixture.cluster.data
            )
            #expect(PostgresServer.find(dataDirectory: "\(fixture.cluster.root)/link")?.identity == server.identity)
            #expect(throws: LinkError.self) { try PostgresServer.clearRemains(dataDirectory: fixture.cluster.data) }
            try server.stop(.immediate, timeoutSeconds: 30)
        }
    }
}
