import ArchiveTesting
import Foundation
import Testing

/// The tools of the other scenarios, tried on their own: a harness that is wrong proves nothing.
@Suite("The test harness itself")
struct HarnessScenarios {
    @Test(.enabled(if: TestEnvironment.hasPostgres, TestEnvironment.noPostgres), .keepsEvidence)
    func upstreamsArchiveAndDiffer() throws {
        try TestDirectory.with { directory in
            try TestPostgres.with(in: directory, name: "one") { one in
                try TestPostgres.with(in: directory, name: "two") { two in
                    let identifier = "select system_identifier from pg_control_system()"
                    try #expect(one.sql(identifier) != two.sql(identifier))
                }
                try one.sql("create table t as select generate_series(1, 1000) as n")
                let name = try one.switchAndArchive()
                let size = try FileManager.default.attributesOfItem(atPath: "\(one.copies)/\(name)")[.size] as? Int
                #expect(size == 1 << 20)
                try one.killHard()
                try one.start()
                try #expect(one.sql("select count(*) from t") == "1000")
            }
            #expect(ProcessTable.living(in: directory.path).isEmpty)
        }
    }

    @Test(arguments: TestFilesystem.Kind.allCases)
    func filesystemsComeAndGo(_ kind: TestFilesystem.Kind) throws {
        try kind.orSkip()
        try TestDirectory.with { directory in
            try TestFilesystem.with(kind, in: directory, megabytes: 512) { filesystem in
                try TestCommand("/usr/bin/touch", ["\(filesystem.path)/file"]).succeed()
                #expect(filesystem.isMounted == (kind != .plain))
            }
            #expect(MountedFilesystems.points(under: directory.path).isEmpty)
            #expect(MountedFilesystems.loopImages(under: directory.path).isEmpty)
        }
    }

    @Test func commandsAreLimitedInTime() throws {
        let slow = TestCommand("/bin/sleep", ["30"])
        #expect(throws: TestFailure.self) { try slow.run(deadline: 0.2) }
        var command = TestCommand("/bin/sh", ["-c", "echo \"$A\"; cat; umask; pwd; exit 7"], environment: ["A": "b c"])
        command.input = "in\n"
        command.umask = "077"
        let result = try command.run()
        #expect(result.status == 7)
        #expect(result.lines == ["b c", "in", "0077", "/"])
    }

    @Test(.enabled(if: TestEnvironment.hasPostgres, TestEnvironment.noPostgres), .keepsEvidence)
    func theOracleReadsTheUpstreamsClock() throws {
        try TestDirectory.with { directory in
            try TestPostgres.with(in: directory) { upstream in
                let oracle = try Oracle(upstream)
                try oracle.startWriting(seconds: 1, rate: 400).wait()
                let truth = try oracle.truth()
                #expect(truth.rows.count > 100)
                #expect(truth.visible(before: .max).count == truth.rows.count)
                try #expect(upstream.sql(Oracle.digestQuery) == truth.digest(before: .max))
                let times = try upstream.sql(
                    """
                    select xid, (extract(epoch from pg_xact_commit_timestamp(xid::text::xid)) * 1000000)::bigint
                    from oracle group by xid
                    """
                )
                let known = Dictionary(
                    truth.log.entries.map { ($0.transactionID, $0.unixMicroseconds) },
                    uniquingKeysWith: { first, _ in first }
                )
                for line in times.split(separator: "\n") {
                    let fields = line.split(separator: "|").compactMap { Int64($0) }
                    #expect(known[UInt32(fields[0])] == fields[1])
                }
                #expect(truth.targets(50, from: 0, seed: 1).count == 50)
            }
        }
    }
}
