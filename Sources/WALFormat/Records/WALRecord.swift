/// One WAL record's place and header (PostgreSQL: `XLogRecord`, xlogrecord.h).
@frozen
package struct WALRecord: Hashable, Sendable {
    package let start: LSN
    /// Where the next record is looked for (PostgreSQL's `EndRecPtr`): the record's end rounded up to 8 bytes, perhaps
    /// a bare page boundary; after a segment switch the start of the next segment.
    package let end: LSN
    /// The start of the record before this one.
    package let previous: LSN
    package let transactionID: UInt32
    /// The whole record with its header, in bytes, without page headers between its parts.
    package let totalLength: UInt32
    /// See `ResourceManager`.
    package let resourceManager: UInt8
    package let info: UInt8

    @inlinable
    package init(
        start: LSN,
        end: LSN,
        previous: LSN,
        transactionID: UInt32,
        totalLength: UInt32,
        resourceManager: UInt8,
        info: UInt8
    ) {
        self.start = start
        self.end = end
        self.previous = previous
        self.transactionID = transactionID
        self.totalLength = totalLength
        self.resourceManager = resourceManager
        self.info = info
    }

    /// `XLOG_SWITCH`: the rest of the segment holds no records.
    @inlinable
    package var isSegmentSwitch: Bool { resourceManager == ResourceManager.xlog && info & 0xF0 == 0x40 }
}

/// The numbers of PostgreSQL's resource managers (rmgrlist.h; the same in 15 to 18; 128-255 are extensions).
package enum ResourceManager {
    @inlinable package static var xlog: UInt8 { 0 }
    @inlinable package static var transaction: UInt8 { 1 }
    @inlinable package static var storage: UInt8 { 2 }
    @inlinable package static var database: UInt8 { 4 }
    @inlinable package static var tablespace: UInt8 { 5 }
    @inlinable package static var standby: UInt8 { 8 }
    @inlinable package static var heap2: UInt8 { 9 }
    @inlinable package static var heap: UInt8 { 10 }

    private static let names = [
        "XLOG", "Transaction", "Storage", "CLOG", "Database", "Tablespace", "MultiXact", "RelMap", "Standby", "Heap2",
        "Heap", "Btree", "Hash", "Gin", "Gist", "Sequence", "SPGist", "BRIN", "CommitTs", "ReplicationOrigin",
        "Generic", "LogicalMessage",
    ]

    /// Whether a server of the supported majors could have written it.
    @inlinable
    package static func isPossible(_ number: UInt8) -> Bool { number <= 21 || number >= 128 }

    /// The name that pg_waldump prints; `custom128` and on for extensions.
    package static func name(_ number: UInt8) -> String {
        Int(number) < names.count ? names[Int(number)] : "custom\(number)"
    }
}
