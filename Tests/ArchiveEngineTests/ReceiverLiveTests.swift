import ArchiveEngine
import ArchiveTesting
import Foundation
import PostgresLink
import Testing
import WALFormat

/// The receiver against a real server.
@Suite(.enabled(if: TestEnvironment.hasPostgres, TestEnvironment.noPostgres))
struct ReceiverLiveTests {
    @Test func streamsUnderLoad() throws {
        try TestDirectory.with { directory in
            try TestPostgres.with(in: directory) { upstream in
                try createSlot(upstream, "arc")
                let archive = "\(directory.path)/wal"
                try withReceiver(
                    upstream.replicationConnection,
                    into: archive,
                    configure: { $0.slot = SlotName("arc") }
                ) {
                    receiver in
                    try upstream.pgbenchInitialize(scale: 2)
                    let load = try upstream.startPgbench(seconds: 3)
                    _ = try load.wait(deadline: 30)
                    let last = try upstream.switchAndArchive()
                    try eventually("\(last) is complete here; \(receiver.log)") {
                        receiver.completeFiles.contains(last)
                    }
                    #expect(receiver.stop() == 0, "\(receiver.log)")
                    try compare(receiver, with: upstream)
                    #expect(receiver.completeFiles.count > 10)
                }
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
        for name in receiver.completeFiles {
            let copy = FileManager.default.contents(atPath: "\(upstream.copies)/\(name)")
            let same = copy != nil && receiver.bytes(name) == copy
            #expect(same, "\(name) differs from the upstream's copy")
        }
    }
}
