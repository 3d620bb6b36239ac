import ArchiveEngine
import ArchiveTesting
import Foundation
import PostgresLink
import Testing
import WALFormat
import WALStore

/// What a real failover leaves in an archive is right as it is.
@Suite(.enabled(if: TestEnvironment.hasPostgres, TestEnvironment.noPostgres))
struct VerifyFailoverTests {
    /// The archive is ahead of the server that takes over: the old timeline's tail stays beside the new timeline.
    @Test func anAsynchronousFailover() throws {
        try TestDirectory.with { directory in
            try TestPostgres.with(in: directory) { upstream in
                let archive = "\(directory.path)/archive"
                try upstream.sql("select pg_create_physical_replication_slot('arc', true)")
                let receive = { (body: (RunningReceiver) throws -> Void) in
                    try withReceiver(
                        upstream.replicationConnection,
                        into: archive,
                        configure: { $0.slot = SlotName("arc") },
                        body
                    )
                }
                try receive { receiver in
                    try upstream.pgbenchInitialize()
                    try upstream.stop()
                    try TestCommand("/bin/cp", ["-a", upstream.data, "\(upstream.data).behind"]).succeed()
                    try upstream.start()
                    try upstream.sql("create table lost as select generate_series(1, 50000) as n")
                    let last = try upstream.switchAndArchive()
                    try eventually("\(last); \(receiver.log)") { receiver.completeFiles.contains(last) }
                    try upstream.sql("create table lost_too as select generate_series(1, 100) as n")
                    try receiver.waitForDurable(try #require(LSN(upstream.currentLSN())))
                }
                try upstream.killHard()
                try TestCommand("/bin/mv", [upstream.data, "\(upstream.data).dead"]).succeed()
                try TestCommand("/bin/mv", ["\(upstream.data).behind", upstream.data]).succeed()
                try TestCommand("/usr/bin/touch", ["\(upstream.data)/standby.signal"]).succeed()
                try TestCommand("/bin/sh", ["-c", "cat >> '\(upstream.data)/postgresql.conf'"])
                    .succeed(input: "restore_command = '/bin/false'\n")
                try upstream.start()
                try upstream.sql("select pg_promote(true, 60)")
                try eventually("the promoted server writes") {
                    try upstream.sql("select pg_is_in_recovery()") == "f"
                }
                try receive { receiver in
                    try upstream.sql("create table kept as select generate_series(1, 50000) as n")
                    let last = try upstream.switchAndArchive()
                    #expect(last.hasPrefix("00000002"))
                    try eventually("\(last); \(receiver.log)") { receiver.completeFiles.contains(last) }
                    for deep in [true, false, true] {
                        let report = try Verification(directory: archive).run(deep: deep)
                        #expect(report.findings == [], "\(receiver.files)")
                        #expect(report.timelines.map(\.timeline) == [TimelineID(1), TimelineID(2)])
                    }
                }
                // The old timeline goes further than where the new one left it.
                let size = try #require(SegmentSize(bytes: 1 << 20))
                let history = try WALDirectory(archive, segmentSize: size).history(TimelineID(2))
                let ends = try Verification(directory: archive).run(deep: true).timelines.map(\.to)
                try #expect(ends[0] > #require(history?.parent?.end))
            }
        }
    }
}
