/// The header of a WAL page (PostgreSQL: `XLogPageHeaderData`, `XLogLongPageHeaderData`, xlog_internal.h).
struct PageHeader {
    /// `XLOG_BLCKSZ` of every packaged server.
    static let pageSize = 8192
    static let shortSize = 24
    /// On the first page of a segment.
    static let longSize = 40

    private static let continuationFlag: UInt16 = 0x0001
    private static let longFlag: UInt16 = 0x0002
    private static let overwriteFlag: UInt16 = 0x0008
    private static let allFlags: UInt16 = 0x000F

    let magic: UInt16
    let info: UInt16
    let timeline: UInt32
    let address: UInt64
    /// Bytes of an earlier record that are still to come, these pages' headers not counted.
    let remaining: UInt32
    /// What only a long header has.
    let long: (systemIdentifier: UInt64, segmentSize: UInt32, blockSize: UInt32)?
    let isZero: Bool

    var continues: Bool { info & Self.continuationFlag != 0 }
    /// The record that the last page left open was never finished: forget it (`XLP_FIRST_IS_OVERWRITE_CONTRECORD`).
    var overwrites: Bool { info & Self.overwriteFlag != 0 }

    /// The size of the header that a page has at this address.
    @inline(__always)
    static func size(at page: UInt64, segmentSize: UInt64) -> Int {
        page & (segmentSize &- 1) < UInt64(pageSize) ? longSize : shortSize
    }

    /// Reads a header of `size` bytes, `shortSize` or `longSize`; the caller vouches for them.
    @inline(__always)
    init(_ bytes: UnsafeRawPointer, size: Int) {
        let first = UInt64(littleEndian: bytes.loadUnaligned(as: UInt64.self))
        magic = UInt16(truncatingIfNeeded: first)
        info = UInt16(truncatingIfNeeded: first >> 16)
        timeline = UInt32(truncatingIfNeeded: first >> 32)
        address = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
        remaining = UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 16, as: UInt32.self))
        isZero = first == 0 && address == 0 && remaining == 0
        if size == Self.longSize {
            long = (
                UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: 24, as: UInt64.self)),
                UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 32, as: UInt32.self)),
                UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 36, as: UInt32.self))
            )
        } else {
            long = nil
        }
    }

    /// What is wrong with the flags; nil when nothing is.
    var flagFault: ScanFault.Kind? {
        let isLong = info & Self.longFlag != 0
        return info & ~Self.allFlags == 0 && isLong == (long != nil) ? nil : .badPageHeader
    }
}
