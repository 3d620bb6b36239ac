import ArchiveTesting
import Foundation
import Testing

/// Containers in a pool whose init or purge does not go as it should.
@Suite(
    "Pools",
    .enabled(if: TestEnvironment.hasPostgres, TestEnvironment.noPostgres),
    .enabled(if: TestEnvironment.canMount, TestEnvironment.noMount),
    .keepsEvidence
)
struct PoolScenarios {
    /// Root's half, and the owner's.
    @Test(arguments: ["pool.mounted", "init.locked", "init.receiverStarted"])
    func anInitThatDied(_ moment: String) throws {
        try withPool { archive, words in
            let dying = archive.pgarchive.setting("PGARCHIVE_FAULT", "\(moment)=exit")
            for isLast in [false, true] {
                let result = try dying.run(words, deadline: 180)
                #expect(result.status == 86, "\(result)")
                // What knows of a slot is not thrown away.
                let slots = try archive.upstream.slots()
                #expect(result.error.contains("pg_drop_replication_slot") == !slots.isEmpty, "\(result)")
                if isLast { break }
                let purge = try archive.pgarchive.run("container", "purge", "--force", deadline: 120)
                #expect(purge.status == 0 || purge.status == 6, "\(purge)")
                for sentence in try InvariantsChecker(archive).leftovers() { Issue.record("\(sentence)") }
            }
            try archive.pgarchive.succeed(words, deadline: 180)
            try archive.usePortsOfItsOwn()
            try archive.replayEverything()
            try archive.finish()
        }
    }

    /// The slot is upstream, whatever became of the image.
    @Test(arguments: [true, false])
    func aPoolThatCannotBeMounted(_ connectionIsKnown: Bool) throws {
        try withPool { archive, words in
            try archive.pgarchive.succeed(words, deadline: 180)
            try archive.pgarchive("container", "stop")
            try TestCommand.asCaller("umount", [archive.path]).succeed()
            let image = "\(archive.home)/pools/main.img"
            // Both superblocks that an image of this size has.
            for place in [64, 64 << 10] {
                let words = ["if=/dev/zero", "of=\(image)", "bs=1k", "count=4", "seek=\(place)", "conv=notrunc"]
                try TestCommand.asCaller("dd", words).succeed()
            }
            expectRefusal(try archive.pgarchive.run(words), status: 7, mentions: "mounted")
            let upstream = connectionIsKnown ? archive.upstream.replicationConnection : nil
            let result = try archive.pgarchive.setting("UPSTREAM_REPL", upstream)
                .run("container", "purge", "--force", deadline: 120)
            #expect(result.status == (connectionIsKnown ? 0 : 10), "\(result)")
            if connectionIsKnown {
                #expect(try archive.upstream.slots().isEmpty, "\(result)")
            } else {
                #expect(result.error.contains("SELECT pg_drop_replication_slot('pgarchive_main');"), "\(result)")
                try archive.upstream.sql("SELECT pg_drop_replication_slot('pgarchive_main');")
            }
            for sentence in try InvariantsChecker(archive).leftovers() { Issue.record("\(sentence)") }
        }
    }

    private func withPool(_ body: (TestArchive, [String]) throws -> Void) throws {
        var options = TestArchive.Options()
        options.initArguments = ["--pool-size", "1G"]
        try TestArchive.with(options, initialise: false) { archive in
            try body(archive, archive.initArguments.filter { $0 != "--driver" && $0 != "copy" })
        }
    }
}
