import ArchiveTesting
import Foundation
import Testing
import WALFormat

/// A standby that waits for WAL: quick to follow, never in the way.
@Suite(.serialized, .enabled(if: TestEnvironment.hasPostgres, TestEnvironment.noPostgres))
struct StandbyLiveTests {
    /// An upstream that archives, and a standby of it that is fed from there and has caught up.
    private func withStandby(_ body: (TestPostgres, LiveStandby, TestDirectory) throws -> Void) throws {
        try TestDirectory.with { directory in
            try TestPostgres.with(in: directory) { upstream in
                try upstream.sql("create table rows (text text)")
                let backup = "\(directory.path)/backup"
                try TestCommand(
                    "\(upstream.bin)/pg_basebackup",
                    ["-d", upstream.replicationConnection, "-D", backup, "-X", "none", "-c", "fast", "--no-sync"]
                ).succeed()
                let standby = try LiveStandby(directory, backup: backup, archive: upstream.copies)
                defer { standby.server.destroy() }
                try standby.waitsForWAL()
                try standby.server.start()
                try body(upstream, standby, directory)
            }
        }
    }

    /// Completes a segment upstream, and waits until the standby has replayed it.
    @discardableResult
    private func follow(_ upstream: TestPostgres, _ standby: LiveStandby) throws -> Double {
        try upstream.switchAndArchive()
        let end = try #require(LSN(try upstream.currentLSN()))
        let start = LSN(end.rawValue & ~0xF_FFFF)
        return try measured {
            try eventually(within: 20, "replay follows to \(start)", every: 0.001) {
                try standby.replayed().map { $0 >= start } ?? false
            }
        }
    }

    private func fetches(_ standby: LiveStandby) -> [SeenProcess] {
        ProcessTable.living(in: standby.server.data).filter { $0.arguments.contains { $0.contains("pgarchive-wal") } }
    }

    @Test(.timeLimit(.minutes(3)))
    func followsWithin200Milliseconds() throws {
        try withStandby { upstream, standby, _ in
            var seconds: [Double] = []
            for round in 1...6 {
                try upstream.sql("insert into rows values ('\(round)')")
                seconds.append(try follow(upstream, standby))
            }
            #expect(try standby.server.sql("select count(*) from rows") == "6")
            // The machine may be busy once, not each time.
            #expect(seconds.sorted()[2] < 0.2, "\(seconds)")
        }
    }

    @Test(.timeLimit(.minutes(3)))
    func isPromotedAtOnceAlthoughItWaits() throws {
        try withStandby { upstream, standby, _ in
            try follow(upstream, standby)
            try eventually("a fetch waits") { !fetches(standby).isEmpty }
            let seconds = try measured { try standby.server.sql("select pg_promote(true, 60)") }
            #expect(seconds < 1)
            #expect(try standby.server.sql("select pg_is_in_recovery()") == "f")
        }
    }

    @Test(.timeLimit(.minutes(3)))
    func leavesNoFetchBehind() throws {
        try withStandby { upstream, standby, _ in
            try follow(upstream, standby)
            for kill in [false, true] {
                try eventually("a fetch waits") { !fetches(standby).isEmpty }
                let seconds = try measured {
                    if kill { try standby.server.killHard() } else { try standby.server.stop() }
                }
                #expect(seconds < 3)
                try eventually(within: 1, "no fetch is left") { fetches(standby).isEmpty }
                if !kill { try standby.server.start() }
            }
        }
    }

    @Test(.timeLimit(.minutes(3)))
    func goesOnToANewTimeline() throws {
        try withStandby { upstream, standby, _ in
            try upstream.sql("insert into rows values ('first timeline')")
            try follow(upstream, standby)
            try upstream.sql("insert into rows values ('still the first')")
            try upstream.changeTimeline()
            try upstream.sql("insert into rows values ('second timeline')")
            try upstream.switchAndArchive()
            try eventually(within: 30, "the row of the new timeline is there") {
                try standby.server.sql("select count(*) from rows") == "3"
            }
            #expect(standby.hold() == nil)
        }
    }

    @Test(.timeLimit(.minutes(3)))
    func holdsBeforeATablespaceIsCreated() throws {
        try withStandby { upstream, standby, directory in
            try follow(upstream, standby)
            let place = try directory.subdirectory("tablespace")
            try upstream.sql("insert into rows values ('before')")
            try upstream.sql("create tablespace elsewhere location '\(place)'")
            let before = try FileManager.default.subpathsOfDirectory(atPath: place)
            try upstream.sql("insert into rows values ('after')")
            try upstream.switchAndArchive()
            try eventually("the hold is said") { standby.hold() != nil }
            let position = try #require((standby.hold()?["lsn"] as? String).flatMap { LSN($0) })
            #expect(standby.hold()?["kind"] as? String == "tablespace")
            #expect(standby.hold()?["path"] as? String == place)
            // Replay goes up to that very record, also after a restart and after the loss of what was given before.
            for round in 1...3 {
                try eventually(within: 4, "replay goes up to the record") { try standby.replayed() == position }
                #expect(try standby.server.sql("select string_agg(text, ' ') from rows") == "before")
                try standby.server.stop()
                if round == 2 {
                    try TestCommand("/bin/sh", ["-c", "rm -f '\(standby.server.data)'/pg_wal/0*"]).succeed()
                }
                let seconds = try measured { try standby.server.start() }
                #expect(seconds < 3)
            }
            #expect(try FileManager.default.subpathsOfDirectory(atPath: place) == before)
            #expect(try FileManager.default.contentsOfDirectory(atPath: "\(standby.server.data)/pg_tblspc") == [])
            // It stands still without asking all the time.
            let restores = standby.server.log.components(separatedBy: "restored log file").count
            let starts = ProcessInfo.processInfo.systemUptime
            try eventually(within: 20, "time passes") { ProcessInfo.processInfo.systemUptime - starts > 6 }
            #expect(standby.server.log.components(separatedBy: "restored log file").count <= restores + 1)
            let seconds = try measured { try standby.server.sql("select pg_promote(true, 60)") }
            #expect(seconds < 2)
        }
    }

    @Test(.timeLimit(.minutes(3)))
    func saysWhyItStandsStill() throws {
        try withStandby { upstream, standby, _ in
            try upstream.sql("insert into rows values ('one')")
            try follow(upstream, standby)
            // The next segment arrives damaged, and is put right later.
            try upstream.sql("insert into rows values ('two')")
            let sane = try standby.replayed()
            let name = try upstream.sql("select pg_walfile_name(pg_current_wal_lsn())")
            try TestCommand("/bin/sh", ["-c", "head -c 1048576 /dev/urandom > '\(upstream.copies)/\(name)'"]).succeed()
            try eventually("the damage is said") { standby.hold()?["kind"] as? String == "corrupt" }
            #expect(standby.hold()?["segment"] as? String == name)
            #expect(try standby.replayed() == sane)
            unlink("\(upstream.copies)/\(name)")
            try upstream.switchAndArchive()
            try eventually("the row is there") { try standby.server.sql("select count(*) from rows") == "2" }
            #expect(standby.hold() == nil)
        }
    }
}
