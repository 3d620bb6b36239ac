import ArchiveTesting
import Glibc
import PostgresLink
import Testing

@Suite("SQL connections", .enabled(if: TestEnvironment.hasPostgres, TestEnvironment.noPostgres))
struct SQLConnectionTests {
    private static let access = """
        local all all trust
        local replication all trust
        host all with_password 127.0.0.1/32 scram-sha-256
        host all locked_out 127.0.0.1/32 reject
        host all postgres 127.0.0.1/32 trust
        """

    /// One server for all that can share it.
    private func withServer(_ body: (TestPostgres) throws -> Void) throws {
        var options = TestPostgres.Options()
        options.archives = false
        options.settings = ["listen_addresses": "'127.0.0.1'", "max_connections": "5", "max_wal_senders": "0"]
        options.settings["superuser_reserved_connections"] = "1"
        options.hostBasedAuthentication = Self.access
        try TestDirectory.with { directory in
            try TestPostgres.with(in: directory, options: options, body)
        }
    }

    private func connect(
        _ server: TestPostgres,
        _ additions: [String: String] = [:],
        timeoutSeconds: Int = 10
    ) throws -> SQLConnection {
        let target = try ConnectionString(server.connection).merging(additions)
        return try SQLConnection(target, applicationName: "link tests", timeoutSeconds: timeoutSeconds)
    }

    private func failure(
        _ server: TestPostgres,
        _ additions: [String: String]
    ) -> LinkError? {
        #expect(throws: LinkError.self) { try connect(server, additions) }
    }

    @Test(.keepsEvidence) func queriesAndTheirErrors() throws {
        try withServer { server in
            let connection = try connect(server)
            #expect(connection.serverVersion / 10000 == 15 || connection.serverVersion / 10000 > 15)
            #expect(connection.user == "postgres")
            #expect(try connection.value("SHOW application_name") == "link tests")
            #expect(
                try connection.query("SELECT 1 AS a, NULL, 'ü' UNION ALL SELECT 2, 'x', '' ORDER BY a")
                    == [["1", nil, "ü"], ["2", "x", ""]]
            )
            #expect(
                try connection.query("SELECT $1::int + 1, $2::text, $3::text", ["41", nil, "it's"])
                    == [["42", nil, "it's"]]
            )
            #expect(try connection.value("SELECT 1 WHERE false") == nil)
            #expect(
                try connection.query("CREATE TEMP TABLE t (n int); INSERT INTO t VALUES (1); SELECT n FROM t")
                    == [["1"]]
            )
            let error = #expect(throws: LinkError.self) { try connection.query("SELECT * FROM nowhere") }
            #expect(error?.kind == .server)
            #expect(error?.sqlState == "42P01")
            let division = #expect(throws: LinkError.self) { try connection.query("SELECT 1/$1::int", ["0"]) }
            #expect(division?.sqlState == "22012")
            #expect(throws: LinkError.self) { try connection.query("SELECT 'a\0b'") }
            #expect(try connection.value("SELECT 'still usable'") == "still usable")
        }
    }

    @Test(.keepsEvidence) func aSlowStatementIsCancelled() throws {
        try withServer { server in
            let connection = try connect(server)
            let error = #expect(throws: LinkError.self) {
                try connection.query("SELECT pg_sleep(60)", timeoutSeconds: 0.2)
            }
            #expect(error?.kind == .timedOut)
            #expect(error?.sqlState == SQLState.queryCancelled)
            connection.statementTimeoutSeconds = 0.2
            #expect(throws: LinkError.self) { try connection.query("SELECT pg_sleep($1)", ["60"]) }
            connection.statementTimeoutSeconds = nil
            #expect(try connection.value("SELECT 1") == "1")
        }
    }

    @Test(.keepsEvidence) func aLostConnectionIsSaid() throws {
        try withServer { server in
            let connection = try connect(server)
            try server.sql("SELECT pg_terminate_backend(\(connection.backendPID))")
            let error = #expect(throws: LinkError.self) { try connection.query("SELECT pg_sleep(5)") }
            #expect(error?.kind == .unreachable)
            #expect(throws: LinkError.self) { try connection.query("SELECT 1") }
        }
    }

    @Test(.keepsEvidence) func refusedLoginsHaveTheirState() throws {
        try withServer { server in
            try server.sql("CREATE ROLE with_password LOGIN PASSWORD 'right one'; CREATE ROLE locked_out LOGIN")
            let network = ["host": "127.0.0.1"]
            let wrong = failure(server, network.merging(["user": "with_password", "password": "wrong"]) { $1 })
            #expect(wrong?.kind == .authentication)
            #expect(wrong?.sqlState == SQLState.invalidPassword)
            let none = failure(server, network.merging(["user": "with_password", "passfile": "/nowhere"]) { $1 })
            #expect(none?.kind == .authentication)
            #expect(none?.sqlState == nil)
            let rejected = failure(server, network.merging(["user": "locked_out"]) { $1 })
            #expect(rejected?.kind == .authentication)
            #expect(rejected?.sqlState == SQLState.invalidAuthorization)
            let missing = failure(server, network.merging(["dbname": "nowhere"]) { $1 })
            #expect(missing?.kind == .server)
            #expect(missing?.sqlState == SQLState.unknownDatabase)
            let right = try connect(
                server,
                network.merging(["user": "with_password", "password": "right one"]) { $1 }
            )
            #expect(try right.value("SELECT current_user") == "with_password")
        }
    }

    @Test(.keepsEvidence) func aPassfileIsUsed() throws {
        try withServer { server in
            try server.sql("CREATE ROLE with_password LOGIN PASSWORD 'p w'")
            let file = "\(server.root)/pass file"
            try TestCommand.asCaller(
                "/bin/sh",
                ["-c", "umask 077; echo '127.0.0.1:*:*:with_password:p w' > '\(file)'"]
            )
            .succeed()
            let additions = ["host": "127.0.0.1", "user": "with_password", "passfile": file]
            #expect(try connect(server, additions).value("SELECT 1") == "1")
        }
    }

    @Test(.keepsEvidence) func tooManyClients() throws {
        try withServer { server in
            var open: [SQLConnection] = []
            var refusal: LinkError?
            for _ in 0..<8 {
                do { open.append(try connect(server)) } catch { refusal = error as? LinkError }
            }
            #expect(refusal?.sqlState == SQLState.tooManyConnections)
            #expect(refusal?.kind == .unreachable)
            open.forEach { $0.close() }
        }
    }

    @Test func nobodyThere() throws {
        let port = try FreePort.next()
        let target = try ConnectionString("host=127.0.0.1 port=\(port) user=x")
        let error = #expect(throws: LinkError.self) { try SQLConnection(target, applicationName: "t") }
        #expect(error?.kind == .unreachable)
        #expect(error?.sqlState == nil)
        let socket = try ConnectionString("host=/nowhere/at/all user=x")
        let other = #expect(throws: LinkError.self) { try SQLConnection(socket, applicationName: "t") }
        #expect(other?.kind == .unreachable)
    }

    /// A server that accepts and says nothing, as behind a firewall or on a frozen machine.
    @Test(.keepsEvidence) func aSilentHostIsLeftForTheNext() throws {
        let silent = try SilentListener()
        let target = try ConnectionString("host=127.0.0.1 port=\(silent.port) user=x sslmode=disable")
        let seconds = measured {
            let error = #expect(throws: LinkError.self) {
                try SQLConnection(target, applicationName: "t", timeoutSeconds: 1)
            }
            #expect(error?.kind == .timedOut)
        }
        #expect(seconds < 3)
        try withServer { server in
            let both = try ConnectionString(
                "host=127.0.0.1,127.0.0.1 port=\(silent.port),\(server.port) user=postgres dbname=postgres"
            )
            let connection = try SQLConnection(both, applicationName: "t", timeoutSeconds: 1)
            #expect(connection.port == String(server.port))
        }
    }

    @Test(.keepsEvidence) func replicationCommands() throws {
        try TestDirectory.with { directory in
            try TestPostgres.with(in: directory) { server in
                let target = try ConnectionString(server.replicationConnection).forReplication
                let connection = try SQLConnection(target, applicationName: "t")
                let row = try connection.query("IDENTIFY_SYSTEM").first
                #expect(try row?.first == server.sql("SELECT system_identifier FROM pg_control_system()"))
                #expect(try connection.value("SHOW wal_segment_size") == "1MB")
                let error = #expect(throws: LinkError.self) {
                    try connection.query("DROP_REPLICATION_SLOT nowhere")
                }
                #expect(error?.sqlState == SQLState.undefinedObject)
            }
        }
    }
}

/// Listens on a port of 127.0.0.1 and never answers.
final class SilentListener {
    let port: Int
    private let descriptor: Int32

    init() throws {
        port = try FreePort.next()
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        address.sin_port = UInt16(port).bigEndian
        let length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let bound = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, length) }
        }
        guard bound == 0, listen(descriptor, 8) == 0 else { throw TestFailure("cannot listen: errno \(errno)") }
    }

    deinit { close(descriptor) }
}
