import ArchiveTesting
import Foundation
import Testing

/// Production goes back in time where it lies, and comes back again.
@Suite(
    "Restoring in place",
    .enabled(if: TestEnvironment.hasPostgres, TestEnvironment.noPostgres),
    .keepsEvidence
)
struct SwapScenarios {
    /// The settings are those of today; what happened since is there again after the way back, and the archive goes on.
    @Test func aClusterIsReplacedAndComesBack() throws {
        try TestArchive.with(TestArchive.Options(), initialise: false) { archive in
            let upstream = archive.upstream
            let space = try archive.directory.subdirectory("space")
            try upstream.sql("create tablespace elsewhere location '\(space)'")
            try upstream.sql("create table far tablespace elsewhere as select 1 as n")
            try archive.initialise()
            let oracle = try Oracle(upstream)
            try archive.replayEverything()
            _ = try archive.takeSnapshot()
            let wanted = try oracle.writeRow("wanted")
            let late = try oracle.writeRow("too late")
            try upstream.sql("insert into far values (2)")
            try upstream.sql("alter system set work_mem = '9MB'")
            try archive.switchAndReceive()
            let data = upstream.data
            let restore = ["restore", "--swap", data, "--at", wanted.after]

            expectRefusal(try archive.pgarchive.run(restore), status: 4, mentions: "is running")
            expectRefusal(try archive.pgarchive.run("restore", "--swap-back", data), status: 6, mentions: "data.kept")
            try upstream.stop()
            expectRefusal(try archive.pgarchive.run(restore), status: 4, mentions: "wal_archive stop")
            try archive.pgarchive("wal_archive", "stop")
            try #expect(archive.pgarchive.succeed(restore + ["-n"]).output.contains("\(data).kept"))
            #expect(!FileManager.default.fileExists(atPath: "\(data).kept"))

            try archive.pgarchive.succeed(restore + ["--start"], deadline: 120)
            try #expect(upstream.sql("select max(id) from oracle") == "\(wanted.id)")
            try #expect(upstream.sql("select sum(n) from far") == "1")
            try #expect(upstream.sql("show work_mem") == "9MB")
            try upstream.sql("insert into far values (30)")
            expectRefusal(try archive.pgarchive.run("restore", "--swap-back", data), status: 4, mentions: "is running")
            try upstream.stop()
            expectRefusal(try archive.pgarchive.run(restore), status: 4, mentions: "--swap-back")

            try archive.pgarchive("restore", "--swap-back", data)
            try upstream.start()
            try #expect(upstream.sql("select max(id) from oracle") == "\(late.id)")
            try #expect(upstream.sql("select sum(n) from far") == "3")
            try archive.pgarchive("wal_archive", "start")
            try archive.switchAndReceive()

            // The restored one is what is kept now, and its own.
            let shown = try archive.pgarchive("restore", "--swap-remove", data, "-n")
            #expect(shown.error.contains("data.tablespaces-1"), "\(shown)")
            #expect(FileManager.default.fileExists(atPath: "\(data).kept"))
            // Of a command that was killed while it tried whether the names can be exchanged.
            let tried = "\((data as NSString).deletingLastPathComponent)/.data.pgarchive-trying-1"
            try TestCommand("/bin/mkdir", [tried]).succeed()
            try archive.pgarchive("restore", "--swap-remove", data)
            for gone in ["\(data).kept", tried] { #expect(!FileManager.default.fileExists(atPath: gone)) }
            expectRefusal(try archive.pgarchive.run("restore", "--swap-remove", data), status: 6)
            try archive.finish()
        }
    }

    /// Killed anywhere, the data directory is the one or the other, as a whole; the same command goes on.
    @Test func aKilledSwapLeavesTheOneOrTheOther() throws {
        try TestArchive.with(TestArchive.Options(), initialise: false) { archive in
            let space = try archive.directory.subdirectory("space")
            let fast = try archive.directory.subdirectory("fast")
            try archive.upstream.sql("create tablespace elsewhere location '\(space)'")
            try archive.upstream.sql("create table far tablespace elsewhere as select 1 as n")
            let oid = try archive.upstream.sql("select oid from pg_tablespace where spcname = 'elsewhere'")
            try archive.initialise()
            let oracle = try Oracle(archive.upstream)
            try archive.replayEverything()
            _ = try archive.takeSnapshot()
            let wanted = try oracle.writeRow("wanted")
            let late = try oracle.writeRow("too late")
            try archive.switchAndReceive()
            let data = archive.upstream.data
            try archive.pgarchive("wal_archive", "stop")
            try archive.upstream.stop()
            let restore = ["restore", "--swap", data, "--at", wanted.after, "--tablespace", "\(oid)=\(fast)"]
            try interrupted(archive, restore)
            for point in ["restore.copied", "restore.recovered", "restore.beforeUnmark", "swap.beforeExchange"] {
                let killed = try archive.pgarchive.setting("PGARCHIVE_FAULT", "\(point)=exit")
                    .run(restore, deadline: 120)
                #expect(killed.status == 86, "\(point): \(killed)")
                expectRefusal(
                    try archive.pgarchive.run("restore", "--swap-back", data),
                    status: 4,
                    mentions: "is as it was"
                )
                try archive.upstream.start()
                try #expect(archive.upstream.sql("select max(id) from oracle") == "\(late.id)", "\(point)")
                try archive.upstream.stop()
            }
            let killed = try archive.pgarchive.setting("PGARCHIVE_FAULT", "swap.exchanged=exit")
                .run(restore, deadline: 120)
            #expect(killed.status == 86, "\(killed)")
            expectRefusal(try archive.pgarchive.run(restore), status: 4, mentions: "--swap-back")
            try archive.upstream.start()
            try #expect(archive.upstream.sql("select max(id) from oracle") == "\(wanted.id)")
            try #expect(archive.upstream.sql("select sum(n) from far") == "1")
            try archive.upstream.stop()
            try archive.pgarchive("restore", "--swap-back", data)
            try archive.upstream.start()
            try #expect(archive.upstream.sql("select max(id) from oracle") == "\(late.id)")
            try archive.pgarchive("wal_archive", "start")
            try archive.switchAndReceive()
            try archive.finish()
        }
    }

    /// A second one keeps away from the first; interrupted, that leaves nothing.
    private func interrupted(_ archive: TestArchive, _ restore: [String]) throws {
        let data = archive.upstream.data
        for point in ["restore.copied", "restore.beforeUnmark"] {
            let mark = "\(archive.directory.path)/\(point)"
            let first = try archive.pgarchive.setting("PGARCHIVE_FAULT", "\(point)=stop")
                .setting("PGARCHIVE_FAULT_MARK", mark).command(restore).start()
            try eventually(within: 60, "it is stopped") { FileManager.default.fileExists(atPath: mark) }
            for command in [restore, ["restore", "--swap-back", data], ["restore", "--swap-remove", data]] {
                expectRefusal(try archive.pgarchive.run(command, deadline: 60), status: 7, mentions: "is restoring")
            }
            first.signal(point == "restore.copied" ? SIGINT : SIGKILL)
            first.signal(SIGCONT)
            let ended = try first.wait(deadline: 60)
            guard point == "restore.copied" else { continue }
            #expect(ended.status == 5, "\(ended)")
            #expect(!FileManager.default.fileExists(atPath: "\(data).kept"))
        }
    }

    @Test func whatIsNoClusterOfTheUpstreamIsRefused() throws {
        try TestArchive.with(TestArchive.Options()) { archive in
            try archive.replayEverything()
            _ = try archive.takeSnapshot()
            let empty = try archive.directory.subdirectory("empty")
            expectRefusal(
                try archive.pgarchive.run("restore", "--swap", empty),
                status: 4,
                mentions: "no data directory"
            )
            expectRefusal(try archive.pgarchive.run("restore", "--swap", "\(empty)/none"), status: 6)
            let other = try TestPostgres(in: archive.directory, name: "other")
            try TestCommand(
                "/bin/sh",
                ["-c", "printf 12345678 | dd of='\(other.data)/global/pg_control' bs=1 conv=notrunc 2>/dev/null"]
            ).succeed()
            let refused = try archive.pgarchive.run("restore", "--swap", other.data)
            #expect(refused.status != 0 && refused.error.contains("pg_control"), "\(refused)")
            expectRefusal(
                try archive.pgarchive.run("restore", "--swap", archive.upstream.data, "--to", empty),
                status: 2,
                mentions: "one of"
            )
            expectRefusal(
                try archive.pgarchive.run("restore", "--swap-back", archive.upstream.data, "--latest"),
                status: 2
            )
            try archive.switchAndReceive()
            try archive.finish()
        }
    }
}
