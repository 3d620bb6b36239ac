import ArchiveModel
import ArchiveTesting
import Foundation
import Platform
import PostgresLink
import Testing
import WALFormat

/// Every finding is provoked on a real server, and where it is a line to run, that line is run and helps.
@Suite("Upstream preflight", .enabled(if: TestEnvironment.hasPostgres, TestEnvironment.noPostgres))
struct PreflightTests {
    static let openAccess = """
        local all all trust
        local replication all trust
        host all all 127.0.0.1/32 trust

        """

    private func withServer(
        settings: [String: String] = [:],
        access: String? = nil,
        _ body: (TestPostgres) throws -> Void
    ) throws {
        var options = TestPostgres.Options()
        options.archives = false
        options.settings = ["listen_addresses": "'127.0.0.1'"].merging(settings) { $1 }
        options.hostBasedAuthentication = access ?? Self.openAccess
        try TestDirectory.with { directory in
            try TestPostgres.with(in: directory, options: options, body)
        }
    }

    private func preflight(
        _ server: TestPostgres,
        sql: [String: String] = [:],
        replication: [String: String] = [:],
        slot: String = "pgarchive_test",
        majors: [PostgresMajor] = PostgresMajor.allCases
    ) throws -> UpstreamPreflight {
        UpstreamPreflight(
            sql: try ConnectionString(server.connection).merging(sql),
            replication: try ConnectionString(server.replicationConnection).merging(replication),
            slot: slot,
            installedMajors: majors,
            timeoutSeconds: 2
        )
    }

    /// Runs the statements of all fixes.
    private func apply(_ report: UpstreamPreflight.Report, to server: TestPostgres) throws {
        for fix in report.refusals.compactMap(\.fix) {
            for line in fix.split(separator: "\n") where line.hasPrefix("ALTER") || line.hasPrefix("SELECT") {
                try server.sql(String(line))
            }
        }
    }

    @Test(.keepsEvidence) func aGoodUpstreamPassesAndIsDescribed() throws {
        try withServer(settings: ["max_connections": "77", "max_slot_wal_keep_size": "'3GB'"]) { server in
            let there = "\(server.root)/table space"
            try TestCommand("/bin/mkdir", [there]).succeed()
            try server.sql("CREATE TABLESPACE s LOCATION '\(there)'")
            try server.sql("CREATE ROLE boss SUPERUSER LOGIN; CREATE ROLE copier LOGIN REPLICATION")
            // With a role that has no more rights than it needs.
            let report = try preflight(server, sql: ["user": "copier"], replication: ["user": "copier"]).run()
            #expect(report.refusals == [])
            #expect(report.isPassed)
            let facts = try #require(report.facts)
            #expect(
                try String(facts.systemIdentifier) == server.sql("SELECT system_identifier FROM pg_control_system()")
            )
            #expect(facts.timeline.rawValue == 1)
            #expect(facts.segmentSize.bytes == 1 << 20)
            #expect(facts.hotStandby.maxConnections == 77)
            #expect(facts.hotStandby.maxPreparedTransactions == 10)
            #expect(facts.dataDirectoryMode == 0o700)
            #expect(facts.tablespaces.map(\.location) == [there])
            #expect(facts.tablespaces.first?.name == "s")
            #expect(facts.superuser == "postgres")
            #expect(facts.slotKeepBytes == 3 << 30)
            #expect(facts.slot == nil)
            #expect(!facts.archives)
            #expect(facts.version.hasPrefix("\(facts.major.rawValue)."))
            let own = try preflight(server).run()
            #expect((own.facts?.bytes ?? 0) > 10_000_000)
            #expect(own.findings.contains { $0.severity == .remark && $0.what.contains("fsync") })
            try server.sql("ALTER ROLE postgres NOLOGIN", database: "postgres")
            let other = try preflight(server, sql: ["user": "boss"], replication: ["user": "boss"]).run()
            #expect(other.facts?.superuser == "boss")
        }
    }

    @Test(.keepsEvidence) func everythingWrongIsSaidAtOnceAndItsFixesHelp() throws {
        let bad = [
            "wal_level": "minimal", "max_wal_senders": "0", "max_replication_slots": "0", "full_page_writes": "off",
        ]
        try withServer(settings: bad) { server in
            try server.sql("CREATE ROLE copier LOGIN")
            let check = try preflight(server, replication: ["user": "copier"])
            let report = check.run()
            #expect(report.refusals.count == 5)
            #expect(!report.isPassed)
            for word in [
                "wal_level", "max_wal_senders", "max_replication_slots", "full_page_writes", "right to replicate",
            ] {
                #expect(report.refusals.contains { $0.what.contains(word) }, "\(word)")
            }
            #expect(report.refusals.allSatisfy { $0.fix != nil })
            try apply(report, to: server)
            try server.restart()
            let again = check.run()
            #expect(again.refusals == [])
            #expect(again.isPassed)
        }
    }

    @Test(.keepsEvidence) func nothingFree() throws {
        try withServer(settings: ["max_wal_senders": "1", "max_replication_slots": "1"]) { server in
            try server.sql("SELECT pg_create_physical_replication_slot('other')")
            let report = try preflight(server).run()
            #expect(report.refusals.count == 2)
            try apply(report, to: server)
            try server.restart()
            #expect(try preflight(server).run().isPassed)
        }
    }

    @Test(.keepsEvidence) func slotsThatExist() throws {
        try withServer { server in
            try server.sql("SELECT pg_create_physical_replication_slot('taken', true)")
            let check = try preflight(server, slot: "taken")
            let report = check.run()
            #expect(report.refusals.count == 1)
            #expect(report.facts?.slot?.restart != nil)
            #expect(report.facts?.slot?.isActive == false)
            try apply(report, to: server)
            #expect(check.run().isPassed)
            for name in ["", "With-Capitals", "a b", String(repeating: "x", count: 64)] {
                #expect(try preflight(server, slot: name).run().refusals.count == 1, "\(name)")
            }
        }
    }

    @Test(.keepsEvidence) func rolesThatMayNot() throws {
        try withServer { server in
            try server.sql("CREATE ROLE quiet REPLICATION; CREATE ROLE \"Odd \"\"one\" LOGIN")
            for role in ["quiet", "Odd \"one"] {
                let check = try preflight(server, replication: ["user": role])
                let report = check.run()
                #expect(report.refusals.count == 1, "\(report.refusals)")
                try apply(report, to: server)
                #expect(check.run().isPassed)
            }
            // With both wrong, both are said; a role that cannot read pg_hba.conf gets the line as a remark.
            let network = ["user": "nobody_here", "host": "127.0.0.1"]
            let two = try preflight(server, replication: network).run()
            #expect(two.refusals.count == 2)
            #expect(two.refusals.contains { $0.fix?.contains("host  replication  nobody_here  127.0.0.1/32") ?? false })
            let blind = try preflight(server, sql: ["user": "quiet"], replication: network).run()
            #expect(blind.refusals.count == 1)
            #expect(blind.findings.contains { $0.severity == .remark && $0.what.contains("pg_hba.conf") })
            let absent = try preflight(server, replication: ["user": "nobody_here"]).run()
            #expect(absent.refusals.count == 1)
            #expect(absent.refusals.first?.kind == .authentication)
            #expect(absent.refusals.first?.fix?.hasPrefix("CREATE ROLE \"nobody_here\"") ?? false)
        }
    }

    /// The line that is printed is put on top of pg_hba.conf, and then it works.
    @Test(.keepsEvidence) func theMissingLineOfPgHbaIsExact() throws {
        let access = "local all all trust\nlocal replication all reject\nhost all all 127.0.0.1/32 trust\n"
        try withServer(access: access) { server in
            try server.sql("CREATE ROLE copier LOGIN REPLICATION PASSWORD 'pw'")
            let ways = [
                ["host": "127.0.0.1", "user": "copier", "password": "pw"],
                ["user": "copier", "password": "pw"],
            ]
            let lines = [
                "host  replication  copier  127.0.0.1/32  scram-sha-256", "local  replication  copier  scram-sha-256",
            ]
            for (way, line) in zip(ways, lines) {
                let check = try preflight(server, replication: way)
                let report = check.run()
                #expect(report.refusals.count == 1)
                #expect(report.refusals.first?.kind == .authentication)
                #expect(report.refusals.first?.fix?.contains("\(server.data)/pg_hba.conf") ?? false)
                let printed = report.refusals.first?.fix?.split(separator: "\n").last.map(String.init)
                #expect(printed == line)
                try TestCommand("/bin/sh", ["-c", "sed -i '1i \(printed ?? "")' '\(server.data)/pg_hba.conf'"])
                    .succeed()
                try server.sql("SELECT pg_reload_conf()")
                try eventually("the line helps") { check.run().isPassed }
            }
        }
    }

    @Test(.keepsEvidence) func connectionsThatFail() throws {
        let access = "local all all trust\nlocal replication all trust\nhost all all 127.0.0.1/32 scram-sha-256\n"
        try withServer(access: access) { server in
            try server.sql("ALTER ROLE postgres PASSWORD 'right'")
            let network = ["host": "127.0.0.1", "passfile": "/nowhere"]
            let closed = try FreePort.next()
            let silent = try SilentListener()
            let cases: [(additions: [String: String], kind: LinkError.Kind)] = [
                (network.merging(["password": "s3cr3t-wrong"]) { $1 }, .authentication),
                (network, .authentication),
                (["dbname": "nowhere"], .server),
                (["host": "127.0.0.1", "port": "\(closed)"], .unreachable),
                (["host": "127.0.0.1", "port": "\(silent.port)", "sslmode": "disable"], .timedOut),
                (["host": "no-such-host.invalid"], .unreachable),
                (["sslmode": "no such mode"], .unreachable),
            ]
            for (additions, kind) in cases {
                let report = try preflight(server, sql: additions).run()
                let finding = try #require(report.refusals.first)
                #expect(finding.kind == kind, "\(finding)")
                #expect(finding.what.contains("SQL connection"))
                #expect(finding.fix != nil)
                #expect(!"\(finding)".contains("s3cr3t"))
                #expect(report.facts == nil)
            }
            // Both ways fail: both are said.
            let nowhere = ["host": "127.0.0.1", "port": "\(closed)"]
            let both = try preflight(server, sql: nowhere, replication: nowhere).run()
            #expect(both.refusals.map(\.kind) == [.unreachable, .unreachable])
            let wrong = network.merging(["password": "s3cr3t-wrong"]) { $1 }
            let one = try preflight(server, replication: wrong).run()
            #expect(one.refusals.map(\.kind) == [.authentication])
            #expect(one.refusals.first?.what.contains("replication connection") ?? false)
        }
    }

    @Test(.keepsEvidence) func noEntryForTheSQLConnection() throws {
        let access = "local all all trust\nlocal replication all trust\nhost all postgres 127.0.0.1/32 reject\n"
        try withServer(access: access) { server in
            let report = try preflight(server, sql: ["host": "127.0.0.1"]).run()
            #expect(report.refusals.count == 1)
            #expect(
                report.refusals.first?.fix?.contains("\nhost  postgres  postgres  127.0.0.1/32  scram-sha-256\n")
                    ?? false
            )
        }
    }

    @Test(.keepsEvidence) func aStandbyIsRefused() throws {
        try withServer { server in
            try server.stop()
            try TestCommand("/usr/bin/touch", ["\(server.data)/standby.signal"]).succeed()
            try server.start()
            let report = try preflight(server).run()
            #expect(report.refusals.count == 1)
            #expect(report.refusals.first?.what.contains("standby") ?? false)
        }
    }

    @Test(.keepsEvidence) func twoDifferentClusters() throws {
        try withServer { one in
            try withServer { other in
                let check = UpstreamPreflight(
                    sql: try ConnectionString(one.connection),
                    replication: try ConnectionString(other.replicationConnection),
                    slot: "s",
                    installedMajors: PostgresMajor.allCases
                )
                let report = check.run()
                #expect(report.refusals.count == 1)
                #expect(report.refusals.first?.what.contains("different clusters") ?? false)
            }
        }
    }

    @Test(.keepsEvidence) func aMajorThatIsNotHere() throws {
        try withServer { server in
            let report = try preflight(server, majors: []).run()
            #expect(report.refusals.count == 1)
            #expect(report.refusals.first?.fix?.contains("apt-get install postgresql-") ?? false)
        }
    }
}
