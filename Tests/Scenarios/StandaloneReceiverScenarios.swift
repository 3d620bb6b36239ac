import ArchiveTesting
import Foundation
import Testing

/// `pgarchive wal_archive receive` without a container, with pg_receivewal's flags.
@Suite(
    "The receiver on its own",
    .enabled(if: TestEnvironment.hasPostgres, TestEnvironment.noPostgres),
    .keepsEvidence
)
struct StandaloneReceiverScenarios {
    @Test(arguments: [[], ["--synchronous"], ["--no-sync"]])
    func killedAgainAndAgain(_ flags: [String]) throws {
        try TestDirectory.with { directory in
            try TestPostgres.with(in: directory) { upstream in
                let target = try directory.subdirectory("wal")
                try upstream.sql("select pg_create_physical_replication_slot('alone', true)")
                try upstream.pgbenchInitialize()
                let load = try upstream.startPgbench(seconds: 30, clients: 4, rate: 1000)
                let first = try upstream.sql("select pg_walfile_name(restart_lsn) from pg_replication_slots")
                for round in 1...6 {
                    let receiver = try Self.receiver(upstream, target, flags)
                    let before = Self.segments(in: target).count
                    try eventually(within: 30, "round \(round) receives") {
                        guard receiver.isRunning else {
                            throw TestFailure("ended: \(receiver.output)\(receiver.error)")
                        }
                        return Self.segments(in: target).count >= before + 2
                    }
                    receiver.signal(SIGKILL)
                    try receiver.wait()
                }
                load.signal(SIGTERM)
                try load.wait()
                let last = try upstream.switchAndArchive()
                let receiver = try Self.receiver(upstream, target, flags)
                try eventually(within: 30, "\(last) is received") { Self.segments(in: target).contains(last) }
                receiver.signal(SIGTERM)
                try #expect(receiver.wait(deadline: 10).status == 0)
                let names = Self.segments(in: target)
                #expect(names.first == first)
                for name in names {
                    let stored = FileManager.default.contents(atPath: "\(target)/\(name)")
                    #expect(stored == FileManager.default.contents(atPath: "\(upstream.copies)/\(name)"), "\(name)")
                }
                let expected = try FileManager.default.contentsOfDirectory(atPath: upstream.copies)
                    .filter { $0.count == 24 && $0 >= first && $0 <= last }.sorted()
                #expect(names == expected)
            }
        }
    }

    @Test func stopsAtAnEndPosition() throws {
        try TestDirectory.with { directory in
            try TestPostgres.with(in: directory) { upstream in
                let target = try directory.subdirectory("wal")
                try upstream.sql("select pg_create_physical_replication_slot('alone', true)")
                try upstream.sql("create table t as select generate_series(1, 30000) as n")
                let end = try upstream.currentLSN()
                try upstream.sql("insert into t select generate_series(1, 30000)")
                let receiver = try Self.receiver(upstream, target, ["-E", end])
                try #expect(receiver.wait(deadline: 30).status == 0)
                // A slot in use by another, a slot that is not there: said, not retried for ever with -n.
                let missing = try Self.receiver(upstream, target, ["-n"], slot: "nosuch").wait(deadline: 30)
                #expect(missing.status != 0 && missing.error.contains("\"nosuch\""), "\(missing)")
            }
        }
    }

    private static func receiver(
        _ upstream: TestPostgres,
        _ target: String,
        _ flags: [String],
        slot: String = "alone"
    ) throws -> TestProcess {
        let words = [
            "wal_archive", "receive", "-D", target, "-S", slot, "-d", upstream.replicationConnection, "-s", "1",
        ]
        var command = try PgArchive(home: target).command(words + flags)
        command.user = .owner
        return try command.start()
    }

    private static func segments(in directory: String) -> [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []).filter { $0.count == 24 }.sorted()
    }
}
