import Platform
import WALFormat

/// Copies a segment, and checks what is stored: each page and each record.
struct SegmentCopy {
    private let segment: PushedSegment

    init(_ segment: PushedSegment) {
        self.segment = segment
    }

    /// - Throws: `PushFailure` for damage; what was written is to be thrown away then.
    func run(into file: NewFile) throws {
        let reader = try segment.reader()
        var scanner = SegmentScanner(
            startingAt: segment.start,
            segmentSize: segment.size,
            expectation: .init(systemIdentifier: segment.systemIdentifier, timeline: segment.name.timeline)
        )
        var isCloned = false
        if let descriptor = reader.plainDescriptor { isCloned = try file.clone(from: descriptor) }
        var offset: UInt64 = 0
        var beginning: [UInt8] = []
        try withUnsafeTemporaryAllocation(byteCount: 1 << 20, alignment: 4096) { buffer in
            while offset < segment.size.bytes {
                // Also where it is shared: the server has just written it, so it is in memory.
                let count = try reader.read(into: buffer)
                if count == 0 { break }
                let bytes = UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(buffer)[..<count])
                if offset == 0 { beginning = Array(bytes.prefix(64)) }
                // First, so that the disk is at work meanwhile.
                if !isCloned { try file.write(bytes, at: offset) }
                if scanner.fault == nil { scanner.consume(bytes) }
                offset += UInt64(count)
            }
        }
        guard offset == segment.size.bytes else {
            throw PushedSegment.damaged(segment.path, "it became shorter while it was read")
        }
        if let fault = scanner.fault, !isLegal(fault, scanner, beginning) {
            throw PushedSegment.damaged(segment.path, fault.description)
        }
    }

    /// Whether a server may archive a segment whose records end there.
    private func isLegal(_ fault: ScanFault, _ scanner: SegmentScanner, _ beginning: [UInt8]) -> Bool {
        // The last segment of a timeline that was left.
        if segment.isPartial { return true }
        // A record that switches segments and began in the one before: all that follows its end is unused.
        guard scanner.lastRecordStart == nil, let first = PageStart(beginning), first.continuesRecord,
            let rest = SwitchRest(beginning.dropFirst(first.byteCount), count: first.remainingBytes)
        else { return false }
        return fault.position == segment.start.advanced(by: UInt64(first.byteCount + rest.byteCount))
    }
}

/// The end of a record that switches segments and is but a header, begun on the page before.
///
/// Records begin at multiples of 8: what is here has xl_info, xl_rmid and two bytes of zeros (xlogrecord.h).
private struct SwitchRest {
    let byteCount: Int

    init?(_ bytes: ArraySlice<UInt8>, count: UInt32) {
        guard count == 8 || count == 16 else { return nil }
        // XLOG_SWITCH of RM_XLOG_ID.
        guard bytes.dropFirst(Int(count) - 8).prefix(4).elementsEqual([0x40, 0, 0, 0]) else { return nil }
        byteCount = Int(count)
    }
}
