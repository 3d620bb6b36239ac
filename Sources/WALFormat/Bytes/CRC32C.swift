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

    /// The checksum that a WAL record has to have; `record` is all of it, at least its header.
    @inline(__always)
    static func ofRecord(_ record: UnsafeRawBufferPointer) -> UInt32 {
        guard let base = record.baseAddress else { return 0 }
        return pgarchive_crc32c_record(base, record.count)
    }

    package static func checksum(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
        var crc = CRC32C()
        crc.update(bytes)
        return crc.value
    }
}
