import Foundation
import Synchronization

/// A fresh cluster, made once by initdb and then copied: a test's server is there in a tenth of the time.
///
/// Each copy gets a system identifier of its own, since that is what tells one upstream from another.
enum PostgresTemplate {
    private static let lock = Mutex(())

    /// Makes a new cluster in `data`, which must not exist.
    static func copy(to data: String, bin: String, segmentMegabytes: Int) throws {
        let template = try lock.withLock { _ in try made(bin: bin, segmentMegabytes: segmentMegabytes) }
        try TestCommand("/bin/cp", ["-a", "--reflink=auto", template, data]).succeed()
        try giveNewIdentifier(data)
        try TestCommand("\(bin)/pg_resetwal", ["-D", data]).succeed()
    }

    private static func made(bin: String, segmentMegabytes: Int) throws -> String {
        let program = "\(bin)/postgres"
        let attributes = try FileManager.default.attributesOfItem(atPath: program)
        let changed = (attributes[.modificationDate] as? Date)?.timeIntervalSince1970 ?? 0
        let key = abs("\(program) \(changed)".utf8.reduce(5381) { ($0 &* 33) &+ Int($1) })
        let template = "/tmp/pgarchive-testing-\(TestEnvironment.owner.uid)/\(key)-\(segmentMegabytes)"
        let parent = (template as NSString).deletingLastPathComponent
        try TestCommand("/bin/mkdir", ["-p", "-m", "0700", parent]).succeed()
        if try TestCommand("/usr/bin/test", ["-f", "\(template)/PG_VERSION"]).run().status == 0 { return template }
        let making = "\(template).\(getpid())"
        try TestCommand(
            "\(bin)/initdb",
            [
                "-D", making, "--wal-segsize=\(segmentMegabytes)", "--no-sync", "-U", "postgres", "-A", "trust",
                "--locale=C", "-E", "UTF8", "-k",
            ]
        ).succeed(deadline: 120)
        // Another run may have been faster; its template is as good.
        if try TestCommand("/bin/mv", ["-T", making, template]).run().status != 0 {
            try TestCommand("/bin/rm", ["-rf", making]).succeed()
        }
        return template
    }

    /// Writes another system identifier into pg_control; pg_resetwal then begins WAL that carries it.
    private static func giveNewIdentifier(_ data: String) throws {
        let path = "\(data)/global/pg_control"
        guard let handle = FileHandle(forUpdatingAtPath: path), var bytes = try handle.readToEnd(), bytes.count > 300
        else { throw TestFailure("cannot read \(path)") }
        let version = bytes.subdata(in: 8..<12).withUnsafeBytes { $0.loadUnaligned(as: UInt32.self) }
        let checksumOffset = version >= 1800 ? 292 : 288
        withUnsafeBytes(of: UInt64.random(in: 1 << 60...UInt64(Int64.max)).littleEndian) {
            bytes.replaceSubrange(0..<8, with: $0)
        }
        withUnsafeBytes(of: checksum(bytes.prefix(checksumOffset)).littleEndian) {
            bytes.replaceSubrange(checksumOffset..<(checksumOffset + 4), with: $0)
        }
        try handle.seek(toOffset: 0)
        try handle.write(contentsOf: bytes)
        try handle.close()
    }

    /// CRC-32C, bit by bit: a second implementation beside the one under test.
    static func checksum(_ bytes: Data) -> UInt32 {
        var value: UInt32 = 0xFFFF_FFFF
        for byte in bytes {
            value ^= UInt32(byte)
            for _ in 0..<8 { value = value & 1 == 1 ? (value >> 1) ^ 0x82F6_3B78 : value >> 1 }
        }
        return ~value
    }
}
