/// The size of a WAL segment: a power of two from 1 MB to 1 GB (PostgreSQL: `IsValidWalSegSize`).
@frozen
package struct SegmentSize: Hashable, Sendable, CustomStringConvertible {
    package let bytes: UInt64

    package init?(bytes: UInt64) {
        guard (1 << 20)...(1 << 30) ~= bytes, bytes & (bytes - 1) == 0 else { return nil }
        self.bytes = bytes
    }

    private init(valid bytes: UInt64) {
        self.bytes = bytes
    }

    package static let standard = SegmentSize(valid: 16 << 20)

    /// Segments in one "log id" of a file name (PostgreSQL: `XLogSegmentsPerXLogId`).
    package var perLogID: UInt64 { (1 << 32) / bytes }

    package func number(of position: LSN) -> UInt64 { position.rawValue / bytes }

    package func offset(of position: LSN) -> UInt64 { position.rawValue & (bytes - 1) }

    package func start(of number: UInt64) -> LSN {
        let (product, overflow) = number.multipliedReportingOverflow(by: bytes)
        return LSN(overflow ? UInt64.max & ~(bytes - 1) : product)
    }

    /// The start of the segment which holds `position`.
    package func segmentStart(of position: LSN) -> LSN { LSN(position.rawValue & ~(bytes - 1)) }

    /// The end of the segment which holds `position`, which is the start of the next.
    package func segmentEnd(of position: LSN) -> LSN { segmentStart(of: position).advanced(by: bytes) }

    package var description: String { "\(bytes >> 20)MB" }
}
