import ArchiveTesting
import Glibc
import Platform
import Testing

/// The drivers, each on the filesystems that it is for.
enum DriverCase: String, CaseIterable, Codable, Sendable, CustomTestStringConvertible {
    case btrfs, reflinkOnBtrfs, reflinkOnXFS, copyOnPlain, copyOnXFS, copyOnBtrfs

    var testDescription: String { rawValue }

    var driver: any StorageDriver {
        switch self {
        case .btrfs: BtrfsDriver()
        case .reflinkOnBtrfs, .reflinkOnXFS: ReflinkDriver()
        case .copyOnPlain, .copyOnXFS, .copyOnBtrfs: CopyDriver()
        }
    }

    var filesystem: TestFilesystem.Kind {
        switch self {
        case .btrfs, .reflinkOnBtrfs, .copyOnBtrfs: .btrfs
        case .reflinkOnXFS, .copyOnXFS: .xfs
        case .copyOnPlain: .plain
        }
    }

    var sharesData: Bool { self == .btrfs || self == .reflinkOnBtrfs || self == .reflinkOnXFS }

    /// Runs `body` with a directory on a fresh filesystem of the right kind.
    func with(megabytes: Int = 512, _ body: (String) throws -> Void) throws {
        try filesystem.orSkip()
        try TestDirectory.with { directory in
            try TestFilesystem.with(filesystem, in: directory, megabytes: megabytes) { try body($0.path) }
        }
    }

    /// The same, for bodies that wait for another process.
    func with(_ body: (String) async throws -> Void) async throws {
        try filesystem.orSkip()
        let directory = try TestDirectory()
        let made = try TestFilesystem(filesystem, in: directory, megabytes: 512)
        do {
            try await body(made.path)
            try made.unmount()
            directory.finish(failed: KeptEvidence.currentTestFailed)
        } catch {
            try? made.unmount()
            directory.finish(failed: true)
            throw error
        }
    }
}

/// A tree with all that a PostgreSQL data directory may hold.
enum SampleTree {
    static func fill(_ root: String) throws {
        try FileTree.makeDirectory("\(root)/data/base/16384", parents: true)
        try FileTree.makeDirectory("\(root)/data/global")
        try FileTree.makeDirectory("\(root)/data/pg_wal/archive_status", parents: true)
        try FileTree.makeDirectory("\(root)/data/pg_tblspc")
        try FileTree.makeDirectory("\(root)/tablespaces/16500", parents: true)
        for number in 0..<20 {
            let bytes = (0..<(number * 1000)).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ number) }
            try put("\(root)/data/base/16384/\(1000 + number)", bytes: bytes)
        }
        try put("\(root)/data/global/pg_control", text: "control")
        try put("\(root)/data/pg_wal/000000010000000000000001", text: "wal")
        try put("\(root)/data/pg_wal/archive_status/x.done", text: "")
        try put("\(root)/data/PG_VERSION", text: "15\n", mode: 0o640)
        try put("\(root)/data/naïve name (1)", text: "odd")
        try FileTree.makeLink("\(root)/data/pg_tblspc/16500", to: "../../tablespaces/16500")
        try FileTree.makeLink("\(root)/data/dangling", to: "/nowhere/at/all")
        let sparse = try Descriptor.open("\(root)/data/base/16384/sparse", O_RDWR | O_CREAT)
        try sparse.truncate(to: 2 << 20)
        try sparse.writeAll([UInt8](repeating: 9, count: 10_000), at: 1 << 20)
        try sparse.close()
    }

    /// Without fsync: the tests are about what is copied, and should be quick.
    private static func put(_ path: String, bytes: [UInt8], mode: UInt32 = 0o600) throws {
        let file = try Descriptor.open(path, O_WRONLY | O_CREAT | O_EXCL, mode: mode)
        try file.writeAll(bytes)
        try file.close()
    }

    private static func put(_ path: String, text: String, mode: UInt32 = 0o600) throws {
        try put(path, bytes: Array(text.utf8), mode: mode)
    }

    /// Everything that must be the same in a copy, by path.
    static func describe(_ root: String) throws -> [String: String] {
        var found: [String: String] = [:]
        try describe(root, "", into: &found)
        return found
    }

    private static func describe(_ root: String, _ relative: String, into found: inout [String: String]) throws {
        let path = relative.isEmpty ? root : "\(root)/\(relative)"
        let status = try FileTree.status(path)
        let common = "mode \(String(status.mode, radix: 8)) of \(status.uid):\(status.gid)"
        switch status.kind {
        case .regular:
            let bytes = try FileTree.read(path, limit: 128 << 20)
            found[relative] = "\(common), \(bytes.count) bytes, sum \(checksum(bytes)), at \(status.modified)"
        case .symbolicLink: found[relative] = "to \(try FileTree.linkTarget(path))"
        case .other: found[relative] = "other"
        case .directory:
            found[relative] = common
            for name in try FileTree.list(path) {
                try describe(root, relative.isEmpty ? name : "\(relative)/\(name)", into: &found)
            }
        }
    }

    private static func checksum(_ bytes: [UInt8]) -> UInt64 {
        bytes.withUnsafeBytes { $0.reduce(14_695_981_039_346_656_037) { ($0 ^ UInt64($1)) &* 1_099_511_628_211 } }
    }
}
