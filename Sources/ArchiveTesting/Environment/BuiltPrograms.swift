import Foundation
import Synchronization

/// The programs under test, where the owner of containers can reach them.
package enum BuiltPrograms {
    /// The directory of `pgarchive` and `pgarchive-wal`: PGARCHIVE_BIN, or beside the test bundle.
    ///
    /// A copy in /tmp where the owner cannot reach the build's own directory.
    package static func directory() throws -> String {
        try cached.withLock { known in
            if let known { return known }
            let built = try builtDirectory()
            let chosen = isReachable(built) ? built : try copy(from: built)
            known = chosen
            return chosen
        }
    }

    package static func pgarchive() throws -> String { try directory() + "/pgarchive" }
    package static func pgarchiveWAL() throws -> String { try directory() + "/pgarchive-wal" }

    private static let cached = Mutex<String?>(nil)

    private static func builtDirectory() throws -> String {
        if let named = ProcessInfo.processInfo.environment["PGARCHIVE_BIN"] { return named }
        // The test runner's own arguments name the bundle, which lies beside the executables.
        let candidates =
            CommandLine.arguments.filter { $0.contains(".xctest") }
            + [Bundle.main.bundlePath, CommandLine.arguments.first ?? ""]
        for candidate in candidates {
            let directory = URL(fileURLWithPath: candidate).deletingLastPathComponent().path
            for place in [directory, candidate]
            where FileManager.default.isExecutableFile(atPath: place + "/pgarchive-wal") {
                return place
            }
        }
        throw TestFailure("pgarchive and pgarchive-wal are not built: run swift build, or set PGARCHIVE_BIN")
    }

    /// Whether the owner may enter each directory on the way.
    private static func isReachable(_ directory: String) -> Bool {
        guard TestEnvironment.isRoot else { return true }
        let probe = TestCommand("/usr/bin/test", ["-x", directory + "/pgarchive-wal"])
        return (try? probe.run().status) == 0
    }

    private static func copy(from built: String) throws -> String {
        let target = "/tmp/pgarchive-testing-bin-\(getpid())"
        try FileManager.default.createDirectory(atPath: target, withIntermediateDirectories: true)
        for name in ["pgarchive", "pgarchive-wal"] {
            try? FileManager.default.removeItem(atPath: "\(target)/\(name)")
            try FileManager.default.copyItem(atPath: "\(built)/\(name)", toPath: "\(target)/\(name)")
        }
        chmod(target, 0o755)
        atexit { _ = try? FileManager.default.removeItem(atPath: "/tmp/pgarchive-testing-bin-\(getpid())") }
        return target
    }
}
