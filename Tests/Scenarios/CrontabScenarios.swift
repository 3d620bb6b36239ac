import ArchiveTesting
import Foundation
import Testing

/// The container's jobs in its owner's crontab, with a stand-in for crontab: nothing that is there gets lost.
@Suite("Crontab", .enabled(if: TestEnvironment.hasPostgres, TestEnvironment.noPostgres), .keepsEvidence)
struct CrontabScenarios {
    /// As the seed does: init puts them there, disabled, and purge takes them out again.
    @Test func initAddsThemAndPurgeTakesThemOut() throws {
        try asOwner { archive in
            let crontab = archive.crontab
            // The first crontab of this user.
            #expect(try crontab.content() == nil)
            try archive.initialise()
            let lines = try #require(try crontab.text()).split(separator: "\n")
            #expect(lines.allSatisfy { $0.hasPrefix("#") }, "\(lines)")
            for job in ["compress-wal-archive", "expire-and-create-snapshot"] {
                #expect(lines.count { $0.contains(job) && $0.contains(archive.path) } == 1, "\(lines)")
            }
            try archive.switchAndReceive()
            try archive.finish()
            #expect(try crontab.content() == nil)
            // Among lines of the user's, and with some that were put in between.
            var mine = Data("# Gr".utf8)
            mine.append(0xFC)
            mine.append(contentsOf: Array("\u{DF}e\n5 5 * * * /my/own %p".utf8))
            try SpoiltFile.write(mine, to: crontab.table.path)
            try archive.upstream.start()
            try archive.initialise()
            let added = try #require(try crontab.content())
            #expect(added.starts(with: mine + [0x0A]) && added.count > mine.count + 1)
            let edited = String(decoding: added.dropFirst(mine.count), as: UTF8.self)
                .replacing("#23 ", with: "29 ").replacing("#*/10 ", with: "1 1 * * * between\n#*/10 ")
            try SpoiltFile.write(mine + edited.utf8 + Array("# last\n".utf8), to: crontab.table.path)
            try archive.pgarchive("container", "init-cron")
            #expect(try crontab.content() == mine + edited.utf8 + Array("# last\n".utf8))
            try archive.switchAndReceive()
            try archive.finish()
            #expect(try crontab.content() == mine + Array("\n1 1 * * * between\n# last\n".utf8))
        }
    }

    @Test func whatIsThereStaysAsItIs() throws {
        try asOwner { archive in
            try archive.initialise()
            let table = archive.crontab.table
            let first = try Data(contentsOf: table)
            try archive.pgarchive("container", "init-cron")
            #expect(try Data(contentsOf: table) == first)
            // A job that is enabled, at another time, is there; a removed one comes back; Latin-1 stays Latin-1.
            let job =
                "1 2 * * *   /old/pgarchive cron expire-and-create-snapshot --container \(archive.path) >> /x 2>&1"
            let neighbour = "5 5 * * * pgarchive cron compress-wal-archive 1 --container '\(archive.path)2'"
            var mine = Data("# Gr".utf8)
            mine.append(0xFC)
            mine.append(contentsOf: Array("\u{DF}e\n\(job)\n\(neighbour)".utf8))
            try SpoiltFile.write(mine, to: table.path)
            try archive.pgarchive("container", "init-cron")
            let after = try Data(contentsOf: table)
            #expect(after.starts(with: mine + [0x0A]))
            let added = String(decoding: after.dropFirst(mine.count), as: UTF8.self)
            #expect(added.contains("compress-wal-archive"), "\(added)")
            #expect(!added.contains("expire-and-create-snapshot"), "\(added)")
            try archive.switchAndReceive()
            try archive.finish()
            // What was never ours.
            #expect(try Data(contentsOf: table) == mine + [0x0A])
        }
    }

    /// Then init shows them, and is done all the same; so is purge.
    @Test func oneThatCannotBeReadIsNotReplaced() throws {
        try asOwner { archive in
            let crontab = archive.crontab
            try SpoiltFile.write("# mine\n", to: crontab.table.path)
            try SpoiltFile.write("", to: crontab.table.path + ".unreadable")
            let shown = try archive.initialise()
            #expect(shown.error.contains("compress-wal-archive"), "\(shown)")
            let result = try archive.pgarchive.run("container", "init-cron")
            expectRefusal(result, status: 1, mentions: "Input/output error")
            #expect(result.error.contains("compress-wal-archive"), "the lines to add by hand: \(result)")
            try archive.switchAndReceive()
            try archive.finish()
            #expect(try crontab.text() == "# mine\n")
        }
    }

    private func asOwner(_ body: (TestArchive) throws -> Void) throws {
        var options = TestArchive.Options()
        options.user = .owner
        try TestArchive.with(options, initialise: false, body)
    }
}
