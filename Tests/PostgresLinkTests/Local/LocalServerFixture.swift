import ArchiveTesting
import Foundation
import Platform
import PostgresLink
import WALFormat

/// A cluster that is not started, and a launch for it.
struct LocalServerFixture {
    let cluster: TestPostgres
    var launch: ServerLaunch

    static var installation: PostgresInstallation {
        get throws {
            guard let bin = TestEnvironment.postgresBin, let found = PostgresInstallation.examine(bin) else {
                throw TestFailure("no PostgreSQL here")
            }
            return found
        }
    }

    static var owner: SpawnUser? {
        get throws {
            guard TestEnvironment.isRoot, let user = try SystemUser.named(TestEnvironment.owner.name) else {
                return nil
            }
            return SpawnUser(user)
        }
    }

    init(in directory: TestDirectory, name: String = "local", port: Int? = nil) throws {
        var options = TestPostgres.Options()
        options.archives = false
        cluster = try TestPostgres(in: directory, name: name, options: options)
        let logDirectory = try directory.subdirectory("\(name)/log dir")
        let startFile = "\(cluster.root)/start log"
        launch = ServerLaunch(
            installation: try Self.installation,
            dataDirectory: cluster.data,
            settings: ServerLog(directory: logDirectory).settings,
            socketDirectory: cluster.sockets,
            port: port ?? cluster.port,
            logFile: startFile,
            logDirectory: logDirectory,
            user: try Self.owner
        )
    }

    /// Runs a test's body; nothing of the server is left afterwards.
    static func with(name: String = "local", _ body: (inout LocalServerFixture) throws -> Void) throws {
        try TestDirectory.with { directory in
            var fixture = try LocalServerFixture(in: directory, name: name)
            defer { fixture.cluster.destroy() }
            try body(&fixture)
        }
    }

    func touch(_ name: String) throws {
        try TestCommand("/usr/bin/touch", ["\(cluster.data)/\(name)"]).succeed()
    }

    /// A start as a primary is needed first: the fresh cluster's WAL says wal_level=minimal.
    func becomeStandby() throws {
        try started().stop(timeoutSeconds: 30)
        try touch("standby.signal")
    }

    func started(seconds: Double = 30) throws -> RunningServer {
        let server = try PostgresServer.start(launch)
        try server.waitUntilReady(timeoutSeconds: seconds)
        return server
    }

    func connect(_ server: RunningServer) throws -> SQLConnection {
        guard let target = try server.connection(role: "postgres", database: "postgres") else {
            throw TestFailure("no socket")
        }
        return try SQLConnection(target, applicationName: "link tests")
    }
}
