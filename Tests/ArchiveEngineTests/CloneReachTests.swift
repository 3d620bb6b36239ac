import ArchiveModel
import Foundation
import Testing
import WALFormat

@testable import ArchiveEngine

struct CloneReachTests {
    @Test(arguments: [
        "", "local all all trust\n", CloneReach.authentication, "# host all all all trust\n",
        "hostssl all all 10.0.0.0 255.0.0.0 scram-sha-256\n", "hostssl all all fe80::/10 cert map=x\n",
        "host all all all reject\n", "hostssl \"a b\" \"c # d\" all scram-sha-256 # host\n",
        "hostssl all all \\\n  all scram-sha-256\n",
    ])
    func isSafe(_ text: String) {
        #expect(CloneReach.weakLine(text) == nil)
    }

    @Test(arguments: [
        "host all all all scram-sha-256", "hostssl all all all trust", "hostssl all all all md5",
        "hostnossl all all all scram-sha-256", "hostssl all all 10.0.0.0 255.0.0.0 trust", "include others.conf",
        "hostssl all all scram-sha-256 trust", "hostgssenc all all all gss", "hostssl all all all scram-sha-25",
        "hostssl all all all \\\n trust",
    ])
    func isWeak(_ line: String) {
        #expect(CloneReach.weakLine("local all all trust\n\(line)\nhostssl all all all scram-sha-256\n") != nil)
    }
}

struct CloneSettingTests {
    @Test func isQuotedForTheFile() throws {
        #expect(try CloneSetting("work_mem=64MB", major: 15).line == "work_mem = '64MB'")
        #expect(try CloneSetting(" Search_Path = a, 'b\\'", major: 15).line == "search_path = 'a, ''b\\\\'''")
        #expect(try CloneSetting("auto_explain.log_min_duration=", major: 15).line.hasSuffix(" = ''"))
    }

    @Test(arguments: [
        "work_mem", "=1", "1a=1", "a b=1", "work_mem=1\nport=1", "port=5432", "listen_addresses=*", "ssl=off",
        "ARCHIVE_COMMAND=rm", "primary_conninfo=host=x", "recovery_target_time=now", "hba_file=/x", "include=/etc/x",
        "synchronous_standby_names=x", "shared_preload_libraries=pg_cron", "max_logical_replication_workers=4",
        "log_directory=/x", "logging_collector=off", "archive_cleanup_command=rm %r", "promote_trigger_file=/x",
    ])
    func isRefused(_ text: String) {
        #expect(throws: ArchiveError.self) { try CloneSetting(text, major: 15) }
    }
}

struct LocalPortTests {
    /// Whoever listens on one address of this host leaves the others free, but not all of them.
    @Test func aPortTakenOnOneAddress() throws {
        let socket = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        try #require(socket >= 0)
        defer { close(socket) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = in_addr_t(0x7F00_0002).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let port = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address -> in_port_t in
                guard bind(socket, address, length) == 0, listen(socket, 1) == 0 else { return 0 }
                getsockname(socket, address, &length)
                return UnsafeRawPointer(address).assumingMemoryBound(to: sockaddr_in.self).pointee.sin_port.bigEndian
            }
        }
        try #require(port > 0)
        #expect(LocalPort.isFree(Int(port), everywhere: false))
        #expect(!LocalPort.isFree(Int(port), everywhere: true))
    }
}

struct CloneRecordTests {
    /// As it was written before clones had owners, notes and the rest.
    @Test func recordsOfEarlierVersionsAreRead() throws {
        let text = """
            {"createdAt": "2026-11-21T08:00:00.000000Z", "format": 1, "name": "old",
            "parameters": {"maxConnections": 100,
            "maxLocksPerTransaction": 64, "maxPreparedTransactions": 0, "maxWALSenders": 10, "maxWorkerProcesses": 8},
            "path": \(try JSONFile.line(TimelinePath(TimelineID(1)))), "port": 5500, "redo": "0/2000028",
            "requested": "latest", "snapshot": "s", "state": "recovered", "stop": "0/3000060"}
            """
        let record = try JSONDecoder().decode(CloneRecord.self, from: Data(text.utf8))
        #expect(!record.isProtected && !record.isReachable && !record.isUnfinished && !record.isBranch)
        #expect(record.expiresAt == nil && record.setup == nil)
        let again = try JSONDecoder().decode(CloneRecord.self, from: Data(JSONFile.text(record).utf8))
        #expect(again == record)
    }
}
