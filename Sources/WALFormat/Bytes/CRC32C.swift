import CCRC32C

/// The CRC-32C of WAL records and pg_control (PostgreSQL: `pg_crc32c`).
package struct CRC32C: Sendable {
    private var state: UInt32 = .max

    package init() {}

    package mutating func update(_ bytes: UnsafeRawBufferPointer) {
        guard let base = bytes.baseAddress else { return }
        state = pgarchive_crc32c_update(state, base, bytes.count)
    }

    /// The checksum of all bytes so far.
    package var value: UInt32 { ~state }

    package static func checksum(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
        var crc = CRC32C()
        crc.update(bytes)
        return crc.value
    }
}
