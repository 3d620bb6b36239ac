package import WALFormat

/// Parts of made WAL, for whoever sends or stores it.
extension WALCraft {
    /// 1 MB, the smallest that a cluster may have.
    package static let smallSegments = SegmentSize(bytes: 1 << 20) ?? .standard

    /// Empty WAL of small segments from 0/1000000 on.
    package init() {
        self.init(start: LSN(0x100_0000), segmentSize: Self.smallSegments)
    }

    /// Small segments with about so many bytes of records.
    package init(filledWith byteCount: Int, recordBytes: Int = 700) {
        self.init()
        fill(byteCount: byteCount, recordBytes: recordBytes)
    }

    /// Records of no meaning until so many bytes more were made.
    package mutating func fill(byteCount: Int, recordBytes: Int = 700) {
        let goal = bytes.count + byteCount
        while bytes.count < goal { filler(byteCount: recordBytes) }
    }

    /// Bytes of an address range; all that was made beyond `from` without an end.
    package func bytes(from: LSN, to: LSN? = nil) -> [UInt8] {
        let first = Int(from.bytes(since: start))
        let last = min(bytes.count, Int((to ?? position).bytes(since: start)))
        return first < last ? Array(bytes[first..<last]) : []
    }

    /// What was made of a segment.
    package func content(of name: SegmentName) -> [UInt8] {
        guard let from = name.start(size: segmentSize) else { return [] }
        return bytes(from: from, to: from.advanced(by: segmentSize.bytes))
    }

    /// The names of the segments that are made to their ends.
    package var completeSegments: [SegmentName] {
        (0..<(UInt64(bytes.count) / segmentSize.bytes)).map {
            SegmentName(timeline: timeline, number: segmentSize.number(of: start) + $0, size: segmentSize)
        }
    }
}
