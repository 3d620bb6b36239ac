import Foundation
package import Testing

/// What this machine offers to tests.
///
/// Tests that need more than it has are skipped with the reason given here.
package enum TestEnvironment {
    package static let isRoot = geteuid() == 0

    /// Who owns containers and runs servers; PostgreSQL refuses root.
    package static let owner: TestAccount = {
        guard isRoot else { return .current }
        return TestAccount.named(ProcessInfo.processInfo.environment["PGARCHIVE_TEST_OWNER"] ?? "postgres") ?? .current
    }()

    package static let hasOwner = owner.uid != 0

    /// The directory of the newest supported PostgreSQL's programs, without the program's name.
    package static let postgresBin: String? = {
        let environment = ProcessInfo.processInfo.environment
        let candidates =
            [environment["PGARCHIVE_TEST_POSTGRES"]].compactMap(\.self)
            + (15...18).map { "/usr/lib/postgresql/\($0)/bin" }
        return candidates.first { FileManager.default.isExecutableFile(atPath: "\($0)/postgres") }
    }()

    /// PGARCHIVE_POSTGRES_N of the environment: further majors to run end-to-end tests against, by their bin directory.
    package static let furtherPostgresBins: [String] = {
        let environment = ProcessInfo.processInfo.environment
        return (15...18).compactMap { environment["PGARCHIVE_POSTGRES_\($0)"] }.filter { $0 != postgresBin }
    }()

    package static let hasPostgres = postgresBin != nil && hasOwner

    /// Loop mounts need root, the kernel's loop devices and the programs that make the filesystems.
    package static let canMount =
        isRoot && FileManager.default.fileExists(atPath: "/dev/loop-control")
        && ["/usr/sbin/mkfs.btrfs", "/sbin/mkfs.btrfs"].contains { FileManager.default.isExecutableFile(atPath: $0) }
        && ["/usr/sbin/mkfs.xfs", "/sbin/mkfs.xfs"].contains { FileManager.default.isExecutableFile(atPath: $0) }

    static let sftpServer = "/usr/lib/openssh/sftp-server"
    static let hasSSHFS =
        ["/usr/bin/sshfs", sftpServer].allSatisfy(FileManager.default.isExecutableFile)
        && FileManager.default.fileExists(atPath: "/dev/fuse")
    package static let hasStrace = FileManager.default.isExecutableFile(atPath: "/usr/bin/strace")

    package static let hasPgCron =
        postgresBin.map { FileManager.default.fileExists(atPath: "\($0)/../lib/pg_cron.so") } ?? false

    /// The library that makes up a clock for a program.
    package static let fakeClock = ["x86_64", "aarch64"].map { "/usr/lib/\($0)-linux-gnu/faketime/libfaketime.so.1" }
        .first { FileManager.default.fileExists(atPath: $0) }

    /// How long something must stay idle to count as idle; the full minute where time is no matter.
    package static let idleSeconds =
        ProcessInfo.processInfo.environment["PGARCHIVE_TEST_IDLE"].flatMap(Double.init) ?? 60

    /// How many random targets are recovered to, and how many unreachable ones are tried.
    package static let targetCount =
        ProcessInfo.processInfo.environment["PGARCHIVE_TARGETS"].flatMap { Int($0) } ?? 50
    /// Another one at each run; given, to repeat one.
    package static let targetSeed =
        ProcessInfo.processInfo.environment["PGARCHIVE_TARGETS_SEED"].flatMap { UInt64($0) }
        ?? UInt64.random(in: 1...999_999)

    // Reasons for skipping, in the words of the closing line of the test run.
    package static let noPostgres: Comment = "needs PostgreSQL 15 to 18 and a user other than root to run it"
    package static let noMount: Comment = "needs root, loop devices, btrfs-progs and xfsprogs"
    package static let noRoot: Comment = "needs root"
    package static let noStrace: Comment = "needs strace"
    package static let noFakeClock: Comment = "needs libfaketime (Debian: faketime)"

    package static func postgresProgram(_ name: String) throws -> String {
        guard let postgresBin else { throw TestFailure("no PostgreSQL here") }
        return "\(postgresBin)/\(name)"
    }
}
