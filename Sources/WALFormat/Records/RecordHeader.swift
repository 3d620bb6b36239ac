/// The 24 bytes that begin each record (PostgreSQL: `XLogRecord`, xlogrecord.h).
struct RecordHeader {
    static let size = 24
    /// Beyond `XLogRecordMaxSize` (1020 MB, from 16 on): no server writes that, and 15 could not read it back.
    static let maxTotalLength: UInt32 = 1 << 30

    let totalLength: UInt32
    let transactionID: UInt32
    let previous: UInt64
    let info: UInt8
    let resourceManager: UInt8
    let crc: UInt32

    /// Reads `size` bytes; the caller vouches for them.
    @inline(__always)
    init(_ bytes: UnsafeRawPointer) {
        let first = UInt64(littleEndian: bytes.loadUnaligned(as: UInt64.self))
        let third = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: 16, as: UInt64.self))
        totalLength = UInt32(truncatingIfNeeded: first)
        transactionID = UInt32(truncatingIfNeeded: first >> 32)
        previous = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
        info = UInt8(truncatingIfNeeded: third)
        resourceManager = UInt8(truncatingIfNeeded: third >> 8)
        crc = UInt32(truncatingIfNeeded: third >> 32)
    }

    /// The checksum covers what follows the header, then the header up to the checksum itself.
    static let sizeBeforeCRC = 20

    /// What is wrong for a record at `start`; nil when nothing is.
    ///
    /// The length was looked at before.
    @inline(__always)
    func fault(at start: UInt64, after lastRecord: LSN?) -> ScanFault.Kind? {
        guard ResourceManager.isPossible(resourceManager) else { return .badResourceManager(resourceManager) }
        let fits = lastRecord.map { previous == $0.rawValue } ?? (previous < start)
        return fits ? nil : .badPrevious(LSN(previous))
    }

    /// Whether the scanner's visitors get the body.
    ///
    /// XLOG, Transaction, Storage, Database, Tablespace, Standby, Heap2, Heap.
    @inline(__always)
    var bodyIsWanted: Bool { resourceManager < 16 && 0b0111_0011_0111 >> resourceManager & 1 != 0 }
}
