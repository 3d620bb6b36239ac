import ArchiveTesting
import Foundation
import Testing

/// Several containers, several commands, several upstreams at once.
@Suite(
    "Side by side",
    .enabled(if: TestEnvironment.hasPostgres, TestEnvironment.noPostgres),
    .keepsEvidence
)
struct SideBySideScenarios {
    @Test func twoContainersOfOneHome() throws {
        try TestArchive.with(TestArchive.Options()) { archive in
            try TestPostgres.with(in: archive.directory, name: "two") { other in
                var words = archive.initArguments.map { $0 == archive.path ? "second" : $0 }
                words = words.map { $0.replacing(archive.upstream.sockets, with: other.sockets) }
                words = words.map { $0.replacing("port=\(archive.upstream.port)", with: "port=\(other.port)") }
                let pgarchive = PgArchive(home: archive.home, user: archive.options.user)
                try pgarchive.succeed(words, deadline: 180)
                try #expect(pgarchive("container", "list", "--quiet").lines.sorted() == ["main", "second"])
                // With several, one must be named.
                expectRefusal(try pgarchive.run("container", "status"), status: 2, mentions: "second")
                for name in ["main", "second"] {
                    try pgarchive("container", "status", "--container", name)
                    try pgarchive("snapshot", "create", "--container", name)
                    try pgarchive("clone", "create", "twin", "--latest", "--start", "--container", name)
                }
                let ports = try ["main", "second"].map { name in
                    try pgarchive("clone", "psql", "--container", name, "twin", "-XAtqc", "show port").text
                }
                #expect(Set(ports).count == 2)
                try pgarchive("clone", "stop", "--all", "--container", "second")
                try pgarchive("container", "stop", "--container", "second")
                try pgarchive("container", "purge", "--force", "--container", "second")
                try #expect(other.slots().isEmpty)
                // The only one left needs no name.
                try pgarchive("container", "status")
            }
            try archive.switchAndReceive()
            try archive.finish()
        }
    }

    @Test(arguments: TestFilesystem.Kind.btrfsOrElsePlain)
    func commandsAtTheSameTime(_ kind: TestFilesystem.Kind) throws {
        try TestArchive.with(TestArchive.Options(kind)) { archive in
            _ = try archive.takeSnapshot()
            let clones = try (1...6).map { try archive.pgarchive.start("clone", "create", "c\($0)", "--latest") }
            let snapshots = try (1...3).map { _ in try archive.pgarchive.start("snapshot", "create") }
            let same = try (1...3).map { _ in try archive.pgarchive.start("clone", "create", "same", "--latest") }
            for process in clones + snapshots {
                let result = try process.wait()
                #expect(result.status == 0, "\(result)")
            }
            let outcomes = try same.map { try $0.wait().status }.sorted()
            #expect(outcomes == [0, 7, 7])
            let ports = try archive.pgarchive.json("clone", "list").array.compactMap { $0["port"]?.number }
            #expect(ports.count == 7 && Set(ports).count == 7)
            let starts = try (1...3).map { try archive.pgarchive.start("clone", "start", "c\($0)") }
            for process in starts { try #expect(process.wait().status == 0) }
            try archive.switchAndReceive()
            try archive.finish()
        }
    }

    /// Another cluster at the upstream's address: refused before a byte of it is stored.
    @Test func anotherClusterAtTheSameAddress() throws {
        try TestArchive.with(TestArchive.Options()) { archive in
            try archive.switchAndReceive()
            let before = archive.archivedSegments()
            let data = archive.upstream.data
            try archive.upstream.stop()
            let stranger = try TestPostgres(in: archive.directory, name: "stranger")
            let swap =
                "mv '\(data)' '\(data).own' && mv '\(stranger.data)' '\(data)' && cp '\(data).own'/*.conf '\(data)'/"
            try TestCommand("/bin/sh", ["-c", swap]).succeed()
            try archive.upstream.start()
            try archive.upstream.sql("select pg_create_physical_replication_slot('pgarchive_main', true)")
            try archive.upstream.sql("create table stranger as select generate_series(1, 100000) as n")
            try eventually(within: 60, "the other system is recognised") {
                let status = try archive.pgarchive.run("wal_archive", "status")
                return (status.output + status.error).contains("system identifier")
            }
            #expect(archive.archivedSegments() == before)
            try archive.upstream.stop()
            try TestCommand("/bin/sh", ["-c", "rm -rf '\(data)' && mv '\(data).own' '\(data)'"]).succeed()
            try archive.upstream.start()
            try archive.replayEverything(within: 90)
            try archive.finish()
        }
    }

    /// Logs are shown whole, or followed until the reader has seen enough.
    @Test func logsAreFollowed() throws {
        try TestArchive.with(TestArchive.Options()) { archive in
            let following = try archive.pgarchive.start("standby", "log", "-f")
            try archive.pgarchive("standby", "restart")
            try eventually("the follower shows the restart") {
                following.output.contains("ready to accept read-only connections")
            }
            #expect(following.isRunning)
            following.signal(SIGINT)
            try following.wait(deadline: 5)
            let receiver = try archive.pgarchive.start("wal_archive", "log", "-f")
            try archive.pgarchive("wal_archive", "stop")
            try archive.pgarchive("wal_archive", "start")
            try eventually("the follower shows something") { !receiver.output.isEmpty }
            receiver.signal(SIGTERM)
            try receiver.wait(deadline: 5)
            try archive.switchAndReceive()
            try archive.finish()
        }
    }
}
