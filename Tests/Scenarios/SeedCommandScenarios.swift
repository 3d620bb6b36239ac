import ArchiveTesting
import Foundation
import Testing

/// Every command of the first pgarchive, with the arguments its users know, run for real.
@Suite(
    "Every seed command",
    .enabled(if: TestEnvironment.hasPostgres, TestEnvironment.noPostgres),
    .keepsEvidence
)
struct SeedCommandScenarios {
    /// One command line and what must come of it.
    struct Row: Sendable {
        let words: String
        let status: Int32
        /// Each must occur in what it writes.
        let says: [String]
        /// A file of the container that must exist afterwards, or must not when it begins with `!`.
        let leaves: String?

        init(_ words: String, status: Int32 = 0, says: [String] = [], leaves: String? = nil) {
            self.words = words
            self.status = status
            self.says = says
            self.leaves = leaves
        }
    }

    static let daemons: [Row] = [
        Row("system status", says: ["standby"]),
        Row("container status"),
        Row("system dashboard", says: ["standby"]),
        Row("wal_archive status"),
        Row("wal_archive list", says: ["000000010000"]),
        Row("wal list", says: ["000000010000"]),
        Row("wal_archive log"),
        Row("wal_archive stop"),
        Row("wal_archive status", status: 1),
        Row("system status", status: 1),
        Row("wal_archive start"),
        Row("wal_archive status"),
        Row("standby status"),
        Row("standby reload"),
        Row("standby restart"),
        Row("standby status"),
        Row("standby log", says: ["ready to accept read-only connections"]),
        Row("standby stop -m immediate"),
        Row("standby status", status: 1),
        Row("snapshot create", status: 4),
        Row("standby start"),
        Row("standby status"),
    ]

    static let snapshotsAndClones: [Row] = [
        Row("snapshot create --force"),
        Row("snapshot list", says: ["SNAPSHOT"]),
        Row("snapshot list 2*", says: ["SNAPSHOT"]),
        Row("snapshot expire --show"),
        Row("snapshot expire"),
        Row("clone create SNAPSHOT first", leaves: "clones/first/postgresql.conf"),
        Row("clone status first", status: 1),
        Row("clone create SNAPSHOT second MOMENT", leaves: "clones/second/clone.json"),
        Row("clone list", says: ["first", "second"]),
        Row("clone start first"),
        Row("clone status first"),
        Row("clone list --status", says: ["first", "second", "1"]),
        Row("clone list f*", says: ["first"]),
        Row("clone psql first -XAtqc TABLE§seeds", says: ["a row"]),
        Row("clone reload first"),
        Row("clone restart first"),
        Row("clone psql first -XAtqc TABLE§seeds", says: ["a row"]),
        Row("clone log first", says: ["ready to accept connections"]),
        Row("clone delete first", status: 7, leaves: "clones/first/clone.json"),
        Row("clone stop first -m fast"),
        Row("clone duplicate first third", leaves: "clones/third/clone.json"),
        Row("clone start third"),
        Row("clone psql third -XAtqc TABLE§seeds", says: ["a row"]),
        Row("clone start second"),
        Row("clone psql second -XAtqc TABLE§seeds", says: ["a row"]),
        Row("clone stop --all"),
        Row("clone list --status", says: ["second", "third"]),
        Row("clone delete third", leaves: "!clones/third"),
        Row("clone delete second", leaves: "!clones/second"),
        Row("clone delete first", leaves: "!clones/first"),
        Row("cron compress-wal-archive 2", leaves: "log/cron_wal_archive.log"),
        Row("wal_archive list", says: [".zst"]),
        Row("clone create SNAPSHOT again MOMENT"),
        Row("clone start again"),
        Row("clone psql again -XAtqc TABLE§seeds", says: ["a row"]),
        Row("clone stop again"),
        Row("clone delete again"),
        Row("cron expire-and-create-snapshot", leaves: "log/cron_snapshot.log"),
        Row("system dashboard", says: ["== wal_archive.log", "== cron_snapshot.log", "== cron_wal_archive.log"]),
        Row("snapshot delete SNAPSHOT", leaves: "!snapshots/SNAPSHOT"),
    ]

    static let theEnd: [Row] = [
        Row("bash-completion", says: ["complete"]),
        Row("help", says: ["container", "wal_archive", "standby", "snapshot", "clone", "cron"]),
        Row("--help", says: ["container", "wal_archive", "standby", "snapshot", "clone", "cron"]),
        Row("container purge --force", status: 7, leaves: "container.json"),
        Row("container stop"),
        Row("container status", status: 1),
        Row("container start"),
        Row("container status"),
        Row("snapshot delete *"),
        Row("system stop"),
        Row("system purge --force"),
    ]

    @Test(arguments: TestFilesystem.Kind.btrfsOrElsePlain)
    func eachDoesWhatItSays(_ kind: TestFilesystem.Kind) throws {
        try TestArchive.with(TestArchive.Options(kind)) { archive in
            try archive.upstream.sql("create table seeds as select 'a row' as r")
            for _ in 0..<3 { try archive.switchAndReceive() }
            try Self.run(Self.daemons, archive)
            try archive.replayEverything()
            let snapshot = try archive.takeSnapshot().name
            let moment = try archive.upstream.sql("select to_char(clock_timestamp(), 'YYYY-MM-DD HH24:MI:SS.US+00')")
            try archive.upstream.sql("drop table seeds")
            try archive.replayEverything()
            try Self.run(Self.snapshotsAndClones, archive, ["SNAPSHOT": snapshot, "MOMENT": moment])
            let isBtrfs = kind == .btrfs
            let defragment = Row("cron defrag-btrfs", status: isBtrfs ? 0 : 4, leaves: "log/cron_btrfs.log")
            let says = ["== cron_btrfs.log"] + (isBtrfs ? ["defrag-btrfs: done"] : [])
            try Self.run([defragment, Row("system dashboard", says: says)], archive)
            for sentence in try InvariantsChecker(archive).violations() { Issue.record("\(sentence)") }
            try Self.run(Self.theEnd, archive)
            for sentence in try InvariantsChecker(archive).leftovers() { Issue.record("\(sentence)") }
        }
    }

    /// The stanza goes into the crontab of whoever calls, disabled; a stand-in shows what is put there.
    @Test(.enabled(if: TestEnvironment.canMount, TestEnvironment.noMount))
    func initCronOffersTheJobs() throws {
        try TestArchive.with(TestArchive.Options()) { archive in
            let programs = try archive.directory.subdirectory("sbin", mode: 0o755)
            let work = try archive.directory.subdirectory("work", mode: 0o755)
            let table = "\(archive.directory.path)/table"
            try SpoiltFile.write("# mine\n", to: table)
            let script = "#!/bin/sh\nif [ \"$1\" = -l ]; then cat '\(table)'; else cat > '\(table)'; fi\n"
            try SpoiltFile.write(script, to: "\(programs)/crontab")
            try TestCommand("/bin/chmod", ["755", "\(programs)/crontab"]).succeed()
            // A mount namespace in which crontab is ours; nobody else sees it.
            let overlay = "mount -t overlay -o lowerdir=/usr/sbin,upperdir=\(programs),workdir=\(work) none /usr/sbin"
            let program = try BuiltPrograms.pgarchive()
            var command = TestCommand(
                "/usr/bin/unshare",
                ["-m", "/bin/sh", "-c", "\(overlay) && exec '\(program)' container init-cron"],
                environment: archive.pgarchive.setting("PATH", nil).environment
            )
            command.user = .caller
            try command.succeed()
            let lines = try String(contentsOfFile: table, encoding: .utf8).split(separator: "\n")
            #expect(lines.first == "# mine")
            for job in ["compress-wal-archive", "expire-and-create-snapshot"] {
                let line = lines.first { $0.contains(job) }
                #expect(line?.hasPrefix("#") == true && line?.contains(archive.path) == true, "\(job)")
            }
            try archive.switchAndReceive()
            try archive.finish()
        }
    }

    /// Each of them also prints JSON, and its own help.
    @Test func listsSpeakJSONAndVerbsExplainThemselves() throws {
        try TestArchive.with(TestArchive.Options()) { archive in
            _ = try archive.takeSnapshot()
            for words in [
                ["container", "status"], ["wal_archive", "list"], ["snapshot", "list"], ["clone", "list"],
            ] {
                let result = try archive.pgarchive.run(words + ["--output", "json"])
                #expect(result.status == 0 && JSONValue(result.output) != nil, "\(result)")
            }
            let verbs = [
                "container": "init purge start stop status dashboard init-cron list run",
                "wal_archive": "start stop status list log receive",
                "standby": "start stop status reload restart log",
                "snapshot": "create delete expire list",
                "clone": "create duplicate delete start stop status reload restart list log psql",
                "cron": "compress-wal-archive expire-and-create-snapshot defrag-btrfs",
            ]
            for (noun, list) in verbs {
                for verb in list.split(separator: " ") {
                    let result = try archive.pgarchive.run([noun, String(verb), "--help"])
                    #expect(result.status == 0 && result.output.count > 200, "\(result)")
                }
            }
            try archive.switchAndReceive()
            try archive.finish()
        }
    }

    private static func run(_ rows: [Row], _ archive: TestArchive, _ words: [String: String] = [:]) throws {
        func filled(_ text: String) -> String {
            words.reduce(text.replacing("§", with: " ")) { $0.replacing($1.key, with: $1.value) }
        }
        for row in rows {
            // The words are split first: a moment has a blank in it.
            let result = try archive.pgarchive.run(
                row.words.split(separator: " ").map { filled(String($0)) },
                deadline: 120
            )
            #expect(result.status == row.status, "\(result)")
            for text in row.says.map(filled) {
                #expect((result.output + result.error).contains(text), "'\(text)' is not in: \(result)")
            }
            guard let file = row.leaves.map(filled) else { continue }
            let wanted = !file.hasPrefix("!")
            let path = "\(archive.path)/\(wanted ? file : String(file.dropFirst()))"
            #expect(FileManager.default.fileExists(atPath: path) == wanted, "\(file) after '\(row.words)'")
        }
    }
}
