import ArchiveTesting
import Foundation
import Testing
import WALFormat
import WALStore

/// A real PostgreSQL archives by push, and recovers by fetch, while both are killed at each of their system calls.
@Suite(
    .enabled(if: TestEnvironment.hasPostgres, TestEnvironment.noPostgres),
    .enabled(if: TestEnvironment.hasStrace, TestEnvironment.noStrace)
)
struct PushLiveTests {
    static let bins = [TestEnvironment.postgresBin ?? ""] + TestEnvironment.furtherPostgresBins

    /// Runs its arguments under strace, again and again, until no call of one kind is left to be killed at.
    private static let script = """
        #!/bin/bash
        # $1: where to count; $2: the calls to choose from; the rest: the program and its arguments.
        place=$1; calls=($2); shift 2
        turn=$(cat "$place/turn" 2>/dev/null || echo 0); echo $((turn + 1)) > "$place/turn"
        call=${calls[turn % ${#calls[@]}]}
        before=$(strace -f -qq -o /dev/stdout -e trace=$call "$1" --version | grep -c "$call(")
        for number in $(seq $((before + 1)) $((before + 200))); do
            strace -f -qq -o /dev/null -e trace=$call -e inject=$call:signal=KILL:when=$number "$@"
            status=$?
            [ $status -eq 137 ] || exit $status
            echo "$call" >> "$place/kills"
        done
        exit 1
        """

    @Test(.timeLimit(.minutes(10)), arguments: bins)
    func nothingIsLostThroughKills(bin: String) throws {
        try TestDirectory.with { directory in
            let archive = try directory.subdirectory("pushed")
            let counters = try directory.subdirectory("counters")
            let script = "\(counters)/struck"
            try SpoiltFile.write(Self.script, to: script)
            let program = try BuiltPrograms.pgarchiveWAL()
            // Each file in turn is pushed, and fetched, through kills at every call of one kind: of all kinds with the
            // first server, of some with the others.
            let some = ["openat", "pread64", "pwrite64", "linkat", "ioctl"]
            let pushCalls = bin == Self.bins.first ? SyscallSweep.calls : some + ["fsync"]
            let fetchCalls = bin == Self.bins.first ? SyscallSweep.calls : some + ["unlink"]
            let push = "bash \(script) \(counters) \"\(pushCalls.joined(separator: " "))\" \(program)"
            var options = TestPostgres.Options()
            options.bin = bin
            options.settings["archive_command"] = "'\(push) push --to \(archive) \"%p\"'"
            let backup = "\(directory.path)/backup"
            let (sum, wal) = try TestPostgres.with(in: directory, options: options) { server in
                try TestCommand(
                    "\(bin)/pg_basebackup",
                    ["-d", server.replicationConnection, "-D", backup, "-X", "none", "-c", "fast", "--no-sync"]
                ).succeed()
                try server.sql("create table rows (number int)")
                for number in 1...pushCalls.count {
                    try server.sql("insert into rows select \(number) from generate_series(1, 1000)")
                    try server.switchSegment()
                }
                let last = try server.sql("select pg_walfile_name(pg_current_wal_lsn() - 1)")
                try eventually(within: 300, "all is archived") {
                    try server.sql("select coalesce(last_archived_wal, '') from pg_stat_archiver") >= last
                }
                #expect(try server.sql("select failed_count from pg_stat_archiver") == "0")
                let names = try FileManager.default.contentsOfDirectory(atPath: archive).filter { $0.count == 24 }
                for name in names {
                    // Some are recycled by now, and have other names.
                    guard let source = FileManager.default.contents(atPath: "\(server.data)/pg_wal/\(name)") else {
                        continue
                    }
                    #expect(FileManager.default.contents(atPath: "\(archive)/\(name)") == source, "\(name)")
                }
                return (try server.sql("select sum(number) from rows"), names)
            }
            let left = try FileManager.default.contentsOfDirectory(atPath: archive)
            #expect(left.allSatisfy { ArchiveFileName($0) != nil }, "\(left)")
            #expect(wal.count >= pushCalls.count)
            let kills = { try String(contentsOfFile: "\(counters)/kills", encoding: .utf8).split(separator: "\n") }
            let struck = try kills()
            #expect(struck.count > 10)
            #expect(Set(struck).isSuperset(of: ["openat", "pread64", "fsync", "linkat"]), "\(Set(struck))")

            // Recovery, through the same.
            let fetch = "bash \(script) \(counters) \"\(fetchCalls.joined(separator: " "))\" \(program)"
            try Self.recover(
                directory,
                bin: bin,
                backup: backup,
                command: "\(fetch) fetch --from \(archive) \"%f\" \"%p\""
            ) { server in
                try #expect(server.sql("select sum(number) from rows") == sum)
                try #expect(server.sql("select timeline_id from pg_control_checkpoint()") == "2")
            }
            #expect(try kills().count > struck.count + 10)
        }
    }

    /// Recovers a backup, and ends when the server takes writes.
    private static func recover(
        _ directory: TestDirectory,
        bin: String,
        backup: String,
        command: String,
        _ body: (TestPostgres) throws -> Void
    ) throws {
        var options = TestPostgres.Options()
        options.bin = bin
        let server = try TestPostgres(in: directory, name: "restored", options: options)
        defer { server.destroy() }
        try TestCommand("/bin/rm", ["-rf", server.data]).succeed()
        try TestCommand("/bin/cp", ["-a", backup, server.data]).succeed()
        try TestCommand(
            "/bin/sh",
            ["-c", "cat >> '\(server.data)/postgresql.conf'; touch '\(server.data)/recovery.signal'"]
        )
        .succeed(
            input: """
                port = \(server.port)
                unix_socket_directories = '\(server.sockets)'
                archive_mode = off
                restore_command = '\(command)'

                """
        )
        try server.start()
        try eventually(within: 300, "recovery has ended") {
            try server.sql("select pg_is_in_recovery()") == "f"
        }
        try body(server)
    }
}
