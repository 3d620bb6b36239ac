import Foundation

/// A throwaway PostgreSQL for one test: an upstream with 1 MB segments that archives into a side directory,
/// whose files are what an archive must be equal to.
package final class TestPostgres: Sendable {
    package struct Options: Sendable {
        /// The directory of the programs; nil for the newest PostgreSQL here.
        package var bin: String?
        package var settings: [String: String] = [:]
        package var segmentMegabytes = 1
        package var archives = true
        /// Lines for pg_hba.conf; nil for trust to everybody on the local socket, replication included.
        package var hostBasedAuthentication: String?
        /// Of the server itself.
        package var environment: [String: String] = [:]

        package init() {}
    }

    package let bin: String
    /// Everything of this server lies below.
    package let root: String
    package let data: String
    package let sockets: String
    /// Where archive_command has put a copy of each completed segment.
    package let copies: String
    package let port: Int
    package let options: Options

    /// Makes the cluster; `start` runs it.
    package init(in directory: TestDirectory, name: String = "up", options: Options = Options()) throws {
        guard let bin = options.bin ?? TestEnvironment.postgresBin else { throw TestFailure("no PostgreSQL here") }
        self.bin = bin
        self.options = options
        root = try directory.subdirectory(name)
        data = "\(root)/data"
        copies = try directory.subdirectory("\(name)/copies")
        sockets = try directory.subdirectory("\(name)/s")
        port = try FreePort.next()
        try PostgresTemplate.copy(to: data, bin: bin, segmentMegabytes: options.segmentMegabytes)
        try writeConfiguration()
    }

    /// Makes and starts a server for the body, and stops it afterwards whatever happens.
    package static func with<Result>(
        in directory: TestDirectory,
        name: String = "up",
        options: Options = Options(),
        _ body: (TestPostgres) throws -> Result
    ) throws -> Result {
        let server = try TestPostgres(in: directory, name: name, options: options)
        defer { server.destroy() }
        try server.start()
        return try body(server)
    }

    /// The connection string for SQL.
    package var connection: String { "host=\(sockets) port=\(port) user=postgres dbname=postgres" }
    package var replicationConnection: String { "host=\(sockets) port=\(port) user=postgres" }
    package var log: String { (try? String(contentsOfFile: "\(root)/log", encoding: .utf8)) ?? "" }

    private func writeConfiguration() throws {
        var settings = [
            "port": "\(port)", "listen_addresses": "''", "unix_socket_directories": "'\(sockets)'",
            "wal_level": "replica", "max_wal_senders": "10", "max_replication_slots": "10", "fsync": "off",
            "shared_buffers": "16MB", "max_wal_size": "64MB", "min_wal_size": "2MB", "checkpoint_timeout": "1h",
            "autovacuum": "off", "track_commit_timestamp": "on", "max_prepared_transactions": "10",
            "log_line_prefix": "'%m [%p] '", "timezone": "'UTC'", "log_timezone": "'UTC'",
        ]
        if options.archives {
            settings["archive_mode"] = "on"
            settings["archive_command"] =
                "'test ! -f \(copies)/%f && cp %p \(copies)/%f.new && mv \(copies)/%f.new \(copies)/%f'"
        }
        settings.merge(options.settings) { $1 }
        let text = settings.sorted { $0.key < $1.key }.map { "\($0.key) = \($0.value)\n" }.joined()
        let configuration = TestCommand("/bin/sh", ["-c", "cat >> '\(data)/postgresql.conf'"])
        try configuration.succeed(input: text)
        let access = options.hostBasedAuthentication ?? "local all all trust\nlocal replication all trust\n"
        try TestCommand("/bin/sh", ["-c", "cat > '\(data)/pg_hba.conf'"]).succeed(input: access)
    }
}

extension TestCommand {
    /// Runs with something on standard input, and throws when the exit status is not 0.
    @discardableResult
    package func succeed(input: String, deadline: Double = 60) throws -> CommandResult {
        var command = self
        command.input = input
        return try command.succeed(deadline: deadline)
    }
}

/// Ports that the kernel says are free.
package enum FreePort {
    package static func next() throws -> Int {
        let descriptor = try bound(to: 0)
        defer { close(descriptor) }
        var address = sockaddr_in()
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let known = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &length) == 0 }
        }
        guard known else { throw TestFailure("no free port: errno \(errno)") }
        return Int(UInt16(bigEndian: address.sin_port))
    }

    /// Takes a port for oneself until the descriptor is closed.
    package static func listen(on port: Int) throws -> Int32 {
        let descriptor = try bound(to: UInt16(truncatingIfNeeded: port))
        guard Foundation.listen(descriptor, 1) == 0 else { throw TestFailure("cannot listen: errno \(errno)") }
        return descriptor
    }

    private static func bound(to port: UInt16) throws -> Int32 {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let isBound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
        guard isBound else {
            close(descriptor)
            throw TestFailure("cannot bind port \(port): errno \(errno)")
        }
        return descriptor
    }
}
