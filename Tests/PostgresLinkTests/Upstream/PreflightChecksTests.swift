import PostgresLink
import Testing
import WALFormat

@testable import PostgresLink

/// What cannot be provoked on the servers of this machine.
@Suite("Judging an upstream")
struct PreflightChecksTests {
    private func findings(_ change: (inout UpstreamReading) -> Void) throws -> [UpstreamPreflight.Finding] {
        var reading = UpstreamReading()
        change(&reading)
        let empty = try ConnectionString("")
        let preflight = UpstreamPreflight(
            sql: empty,
            replication: empty,
            slot: "s",
            installedMajors: PostgresMajor.allCases
        )
        return PreflightChecks(preflight: preflight, reading: reading, replicationUser: "u").findings()
    }

    @Test func whatCouldNotBeReadIsNotJudged() throws {
        #expect(try findings { _ in } == [])
    }

    @Test(arguments: [90_600, 130_011, 140_005, 190_001])
    func otherMajorsAreRefused(_ version: Int) throws {
        let found = try findings { $0.serverVersion = version }
        #expect(found.count == 1)
        #expect(found.first?.what.contains("15 to 18") ?? false)
        #expect(found.first?.fix?.contains(version > 180_000 ? "pgarchive" : "pg_upgrade") ?? false)
    }

    @Test(arguments: ["block_size", "wal_block_size"])
    func otherBlockSizesAreRefused(_ name: String) throws {
        #expect(try findings { $0.settings[name] = "16384" }.count == 1)
        #expect(try findings { $0.settings[name] = "8192" } == [])
    }

    @Test func limitsOnTheSlotAreRemarked() throws {
        let found = try findings {
            $0.settings["idle_replication_slot_timeout"] = "3600"
            $0.settings["max_slot_wal_keep_size"] = "-1"
        }
        #expect(found.map(\.severity) == [.remark, .remark])
        #expect(found.allSatisfy { $0.fix != nil })
    }

    @Test func accessLines() {
        #expect(
            HostBasedAccess.line(user: "a_1", clientAddress: "::1", method: "m") == "host  replication  a_1  ::1/128  m"
        )
        #expect(
            HostBasedAccess.line(database: "my db", user: "all", clientAddress: "fe80::1%eth0", method: "m")
                == "host  \"my db\"  \"all\"  fe80::1/128  m"
        )
        #expect(
            HostBasedAccess.line(user: "O\"x", clientAddress: nil, method: "m") == "local  replication  \"O\"\"x\"  m"
        )
        #expect(HostBasedAccess.ownAddress(towards: "127.0.0.1") == "127.0.0.1")
        #expect(HostBasedAccess.ownAddress(towards: "no-such-host.invalid") == nil)
    }

    @Test func accessRulesAreMatched() {
        func rule(_ users: [String], _ address: String?, _ netmask: String? = nil) -> AccessRule {
            AccessRule(isLocal: address == nil, users: users, address: address, netmask: netmask, method: "md5")
        }
        #expect(rule(["all"], nil).fits(user: "u", address: nil))
        #expect(!rule(["all"], nil).fits(user: "u", address: "10.1.2.3"))
        #expect(!rule(["v"], "all").fits(user: "u", address: "10.1.2.3"))
        #expect(rule(["+g"], "all").fits(user: "u", address: "10.1.2.3"))
        #expect(rule(["v", "u"], "10.1.0.0", "255.255.0.0").fits(user: "u", address: "10.1.2.3"))
        #expect(!rule(["u"], "10.1.0.0", "255.255.0.0").fits(user: "u", address: "10.2.2.3"))
        #expect(!rule(["u"], "10.1.0.0", "255.255.0.0").fits(user: "u", address: "::1"))
        #expect(rule(["u"], "fe80::", "ffc0::").fits(user: "u", address: "fe80::1%eth0"))
        #expect(rule(["u"], "samenet").fits(user: "u", address: "10.2.2.3"))
    }

    @Test func failuresOfConnectionsAreRead() {
        let password = ConnectionFailure(
            report: "connection to server at \"h\" (1.2.3.4), port 5 failed: FATAL:  28P01: password authentication "
                + "failed for user \"x\"\nLOCATION:  auth_failed, auth.c:335\n"
        )
        #expect(password.sqlState == "28P01")
        #expect(password.message == "password authentication failed for user \"x\"")
        let detailed = ConnectionFailure(
            report: "failed: SCHWERWIEGEND:  57P03: das Datenbanksystem startet\nDETAIL:  d\nHINT:  h\n"
        )
        #expect(detailed.sqlState == "57P03")
        #expect(detailed.detail == "d")
        #expect(detailed.error(needsPassword: false).kind == .unreachable)
        let refused = ConnectionFailure(report: "connection to server failed: Connection refused\n\tIs it running?\n")
        #expect(refused.sqlState == nil)
        #expect(refused.message == "connection to server failed: Connection refused")
        #expect(refused.error(needsPassword: false).kind == .unreachable)
        for report in ["", "\n", ":  ", ":  12345:", ":  1234x: m", ":  123456789"] {
            #expect(ConnectionFailure(report: report).sqlState == nil)
        }
    }
}
