import ArchiveTesting
import Foundation
import Testing

/// `container init-cron` with a stand-in for crontab: nothing that is there gets lost.
@Suite("Crontab", .enabled(if: TestEnvironment.hasPostgres, TestEnvironment.noPostgres), .keepsEvidence)
struct CrontabScenarios {
    @Test func whatIsThereStaysAsItIs() throws {
        try withCrontab { archive, program, table in
            // The first crontab of this user.
            try program("container", "init-cron")
            let first = try Data(contentsOf: table)
            #expect(String(decoding: first, as: UTF8.self).contains("expire-and-create-snapshot"))
            try program("container", "init-cron")
            #expect(try Data(contentsOf: table) == first)
            // A job that is enabled, at another time, is there; a removed one comes back; Latin-1 stays Latin-1.
            let job =
                "1 2 * * *   /old/pgarchive cron expire-and-create-snapshot --container \(archive.path) >> /x 2>&1"
            let neighbour = "5 5 * * * pgarchive cron compress-wal-archive 1 --container '\(archive.path)2'"
            var mine = Data("# Gr".utf8)
            mine.append(0xFC)
            mine.append(contentsOf: Array("\u{DF}e\n\(job)\n\(neighbour)".utf8))
            try SpoiltFile.write(mine, to: table.path)
            try program("container", "init-cron")
            let after = try Data(contentsOf: table)
            #expect(after.starts(with: mine + [0x0A]))
            let added = String(decoding: after.dropFirst(mine.count), as: UTF8.self)
            #expect(added.contains("compress-wal-archive"), "\(added)")
            #expect(!added.contains("expire-and-create-snapshot"), "\(added)")
            try archive.switchAndReceive()
            try archive.finish()
        }
    }

    @Test func oneThatCannotBeReadIsNotReplaced() throws {
        try withCrontab { archive, program, table in
            try SpoiltFile.write("# mine\n", to: table.path)
            try SpoiltFile.write("", to: table.path + ".unreadable")
            let result = try program.run("container", "init-cron")
            expectRefusal(result, status: 1, mentions: "Input/output error")
            #expect(result.error.contains("compress-wal-archive"), "the lines to add by hand: \(result)")
            #expect(try Data(contentsOf: table) == Data("# mine\n".utf8))
            try archive.switchAndReceive()
            try archive.finish()
        }
    }

    private func withCrontab(_ body: (TestArchive, PgArchive, URL) throws -> Void) throws {
        var options = TestArchive.Options()
        options.user = .owner
        try TestArchive.with(options) { archive in
            let programs = try archive.directory.subdirectory("programs", mode: 0o755)
            let table = "\(programs)/table"
            let script = """
                #!/bin/sh
                if [ "$1" != -l ]; then exec cat > '\(table)'; fi
                if [ -e '\(table).unreadable' ]; then echo '\(table): Input/output error' >&2; exit 1; fi
                if [ ! -e '\(table)' ]; then echo 'no crontab for me' >&2; exit 1; fi
                exec cat '\(table)'

                """
            try SpoiltFile.write(script, to: "\(programs)/crontab")
            try TestCommand("/bin/chmod", ["755", "\(programs)/crontab"]).succeed()
            let program = archive.pgarchive.setting("PATH", "\(programs):/usr/bin:/bin")
            try body(archive, program, URL(fileURLWithPath: table))
        }
    }
}
