import ArchiveEngine
import ArchiveModel
import ArchiveTesting
import Foundation
import PostgresLink
import Testing
import WALFormat

/// The receiver against a real server.
@Suite(.serialized, .enabled(if: TestEnvironment.hasPostgres, TestEnvironment.noPostgres))
struct ReceiverLiveTests {
    @Test func streamsUnderLoad() throws {
        try live { upstream, receiver in
            try upstream.pgbenchInitialize(scale: 2)
            let load = try upstream.startPgbench(seconds: 3)
            _ = try load.wait(deadline: 30)
            let last = try upstream.switchAndArchive()
            try eventually("\(last) is complete here; \(receiver.log)") { receiver.completeFiles.contains(last) }
            #expect(receiver.stop() == 0, "\(receiver.log)")
            try compare(receiver, with: upstream)
            #expect(receiver.completeFiles.count > 10)
        }
    }

    /// A server and a receiver on its slot "arc".
    private func live(
        _ options: TestPostgres.Options = TestPostgres.Options(),
        configure: (inout ReceiverOptions) -> Void = { _ in },
        _ body: (TestPostgres, RunningReceiver) throws -> Void
    ) throws {
        try TestDirectory.with { directory in
            try TestPostgres.with(in: directory, options: options) { upstream in
                try createSlot(upstream, "arc")
                try withReceiver(
                    upstream.replicationConnection,
                    into: "\(directory.path)/wal",
                    configure: { options in
                        options.slot = SlotName("arc")
                        options.shortestRetrySeconds = 0.05
                        configure(&options)
                    }
                ) { receiver in try body(upstream, receiver) }
            }
        }
    }

    /// A fast shutdown waits for the receiver, which answers at once.
    @Test func aCleanShutdownIsNotHeldUp() throws {
        try live { upstream, receiver in
            try upstream.pgbenchInitialize()
            try eventually("streaming") { receiver.status?.state == .streaming }
            let seconds = try measured { try upstream.stop() }
            #expect(seconds < 3)
            // The shutdown checkpoint is here.
            let end = try #require(receiver.status?.durable)
            try upstream.start()
            try eventually("streaming again; \(receiver.log)") { receiver.status?.state == .streaming }
            let record = try upstream.sql("select checkpoint_lsn from pg_control_checkpoint()")
            #expect(try #require(LSN(record)) < end)
            let last = try upstream.switchAndArchive()
            try eventually("\(last); \(receiver.log)") { receiver.completeFiles.contains(last) }
            try compare(receiver, with: upstream)
        }
    }

    @Test func aCrashOfTheUpstreamIsFollowedByGoingOn() throws {
        try live { upstream, receiver in
            let load = try upstream.startSession("select pg_sleep(60)")
            defer { load.signal(9) }
            try upstream.pgbenchInitialize()
            let pgbench = try upstream.startPgbench(seconds: 20)
            try eventually("some segments") { receiver.completeFiles.count >= 4 }
            try upstream.killHard()
            _ = try? pgbench.wait(deadline: 30)
            try upstream.start()
            try eventually("streaming again; \(receiver.log)") { receiver.status?.state == .streaming }
            let last = try upstream.switchAndArchive()
            try eventually("\(last); \(receiver.log)") { receiver.completeFiles.contains(last) }
            try compare(receiver, with: upstream)
        }
    }

    @Test func aSynchronousCommitWaitsForUsAndReturns() throws {
        var options = TestPostgres.Options()
        options.settings["synchronous_standby_names"] = "'sync_arc'"
        try live(
            options,
            configure: { options in
                options.isSynchronous = true
                options.applicationName = "sync_arc"
            }
        ) { upstream, receiver in
            try eventually("a synchronous standby") {
                try upstream.sql("select sync_state from pg_stat_replication") == "sync"
            }
            for number in 1...20 {
                let end = try upstream.sql(
                    "create table t\(number) (); select pg_current_wal_lsn()",
                    deadline: 10
                )
                // The commit is in the archive when the client has its answer.
                let durable = try #require(upstream.sql("select flush_lsn from pg_stat_replication").lsn)
                #expect(try #require(end.lsn) <= durable)
            }
        }
    }

    @Test func aPlannedSwitchOfTimelines() throws {
        try live { upstream, receiver in
            try upstream.pgbenchInitialize()
            try upstream.switchAndArchive()
            try upstream.changeTimeline()
            try upstream.sql("create table after_the_switch ()")
            let last = try upstream.switchAndArchive()
            #expect(last.hasPrefix("00000002"))
            try eventually("\(last); \(receiver.log)") { receiver.completeFiles.contains(last) }
            #expect(receiver.files.contains("00000002.history"))
            // The old timeline's last segment stays partial.
            #expect(receiver.files.contains { $0.hasPrefix("00000001") && $0.hasSuffix(".partial") })
            try compare(receiver, with: upstream)
        }
    }

    @Test func severalSwitchesWhileWeWereAway() throws {
        try live { upstream, receiver in
            try upstream.pgbenchInitialize()
            try eventually("streaming") { receiver.status?.state == .streaming }
            #expect(receiver.stop() == 0)
            for _ in 0..<3 {
                try upstream.changeTimeline()
                try upstream.sql("create table if not exists t (); drop table t")
            }
            let directory = receiver.directory
            try withReceiver(
                upstream.replicationConnection,
                into: directory,
                configure: { $0.slot = SlotName("arc") }
            ) { again in
                let last = try upstream.switchAndArchive()
                #expect(last.hasPrefix("00000004"))
                try eventually("\(last); \(again.log)") { again.completeFiles.contains(last) }
                for timeline in 2...4 { #expect(again.files.contains("0000000\(timeline).history")) }
                try #expect(Verification(directory: directory).run(deep: true).findings == [])
                try compare(again, with: upstream)
            }
        }
    }

    @Test func stopAndStartUnderLoad() throws {
        try live { upstream, receiver in
            try upstream.pgbenchInitialize()
            let load = try upstream.startPgbench(seconds: 120)
            #expect(receiver.stop() == 0)
            var ends: [LSN] = [receiver.status?.durable ?? .invalid]
            for _ in 0..<8 {
                try withReceiver(
                    upstream.replicationConnection,
                    into: receiver.directory,
                    configure: { $0.slot = SlotName("arc") }
                ) { again in
                    let before = ends.last ?? .invalid
                    try eventually("more; \(again.log)") { (again.status?.durable ?? .invalid) > before }
                    #expect(again.stop() == 0)
                    ends.append(again.status?.durable ?? .invalid)
                }
            }
            load.signal(15)
            _ = try load.wait(deadline: 30)
            #expect(ends == ends.sorted())
            try withReceiver(
                upstream.replicationConnection,
                into: receiver.directory,
                configure: { $0.slot = SlotName("arc") }
            ) { again in
                let last = try upstream.switchAndArchive()
                try eventually("\(last); \(again.log)") { again.completeFiles.contains(last) }
                try compare(again, with: upstream)
            }
        }
    }

    @Test func aSlotInUseIsWaitedFor() throws {
        try live { upstream, receiver in
            try eventually("streaming") { receiver.status?.state == .streaming }
            try withReceiver(
                upstream.replicationConnection,
                into: "\(receiver.directory)-2",
                configure: { options in
                    options.slot = SlotName("arc")
                    options.shortestRetrySeconds = 0.02
                }
            ) { second in
                try eventually("told so") { second.status?.reason?.contains("is active for PID") == true }
                #expect(second.exitCode == nil)
                #expect(receiver.stop() == 0)
                try eventually("taken over; \(second.log)") { second.status?.state == .streaming }
            }
        }
    }

    @Test func aLogicalSlotIsAnErrorForGood() throws {
        var options = TestPostgres.Options()
        options.settings["wal_level"] = "logical"
        try TestDirectory.with { directory in
            try TestPostgres.with(in: directory, options: options) { upstream in
                try upstream.sql("select pg_create_logical_replication_slot('arc', 'pgoutput')")
                try withReceiver(
                    upstream.replicationConnection,
                    into: "\(directory.path)/wal",
                    configure: { $0.slot = SlotName("arc") }
                ) { receiver in
                    let code = try receiver.waitForEnd()
                    #expect(code == 4, "\(receiver.log)")
                }
            }
        }
    }

    @Test func removedSegmentsAreAGap() throws {
        try live { upstream, receiver in
            try eventually("streaming") { receiver.status?.state == .streaming }
            #expect(receiver.stop() == 0)
            try upstream.sql("select pg_drop_replication_slot('arc')")
            for _ in 0..<4 { try upstream.switchAndArchive() }
            try upstream.sql("checkpoint")
            for _ in 0..<4 { try upstream.switchAndArchive() }
            try upstream.sql("checkpoint; checkpoint")
            try withReceiver(
                upstream.replicationConnection,
                into: receiver.directory,
                configure: { options in
                    options.slot = SlotName("arc")
                    options.recreatesSlot = true
                }
            ) { again in
                try eventually("a gap; \(again.log)") { again.status?.state == .gap }
                // Nothing is skipped.
                #expect(again.exitCode == nil)
            }
        }
    }

    private func createSlot(_ upstream: TestPostgres, _ name: String) throws {
        let connection = try SQLConnection(
            ConnectionString(upstream.replicationConnection).forReplication,
            applicationName: "test"
        )
        let restart = try ReplicationSlot.create(connection, try #require(SlotName(name)))
        #expect(restart.isValid)
    }

    /// Each complete segment is what archive_command copied.
    private func compare(_ receiver: RunningReceiver, with upstream: TestPostgres) throws {
        for name in receiver.completeFiles where !name.hasSuffix(".history") {
            let copy = FileManager.default.contents(atPath: "\(upstream.copies)/\(name)")
            let same = copy != nil && receiver.bytes(name) == copy
            #expect(same, "\(name) differs from the upstream's copy")
        }
    }
}

extension String {
    fileprivate var lsn: LSN? { LSN(split(separator: "\n").last.map(String.init) ?? self) }
}
