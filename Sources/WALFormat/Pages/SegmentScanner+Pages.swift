extension SegmentScanner {
    /// Gathers the page header, and checks it when it is whole.
    mutating func takePageHeader(_ bytes: UnsafeRawBufferPointer, pageOffset: Int, size: Int) -> Int {
        let count = min(bytes.count, size &- pageOffset)
        withUnsafeMutableBytes(of: &pageBytes) { buffer in
            UnsafeMutableRawBufferPointer(rebasing: buffer[pageOffset...])
                .copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[..<count]))
        }
        advance(count)
        guard pageOffset &+ count == size else { return count }
        let header = withUnsafeBytes(of: &pageBytes) { buffer in
            buffer.baseAddress.map { PageHeader($0, size: size) }
        }
        let page = LSN(position.rawValue &- UInt64(size))
        guard let header else { return count }
        if let kind = identityFault(of: header, at: page) ?? continuationFault(of: header, size: size) {
            fail(kind, at: page)
        } else {
            pageTimeline = TimelineID(header.timeline)
        }
        return count
    }

    /// Checks that the page is of this WAL and this place, and learns what was not known before.
    private mutating func identityFault(of header: PageHeader, at page: LSN) -> ScanFault.Kind? {
        if header.isZero {
            return .endOfWAL
        }
        guard let found = PostgresMajor(pageMagic: header.magic), found == major ?? found else {
            return .badPageMagic(header.magic)
        }
        if let kind = header.flagFault {
            return kind
        }
        if let long = header.long {
            guard long.systemIdentifier == systemIdentifier ?? long.systemIdentifier else {
                return .badSystemIdentifier(long.systemIdentifier)
            }
            guard UInt64(long.segmentSize) == segmentSize.bytes else { return .badSegmentSize(long.segmentSize) }
            guard long.blockSize == UInt32(PageHeader.pageSize) else { return .badPageHeader }
        }
        guard header.address == page.rawValue else { return .badPageAddress(LSN(header.address)) }
        let timeline = TimelineID(header.timeline)
        guard header.timeline > 0, timeline <= expectation.timeline ?? timeline, timeline >= pageTimeline ?? timeline
        else { return .badTimeline(timeline) }
        major = found
        systemIdentifier = header.long?.systemIdentifier ?? systemIdentifier
        return nil
    }

    /// Checks that the page goes on with what is open, and with nothing else.
    private mutating func continuationFault(of header: PageHeader, size: Int) -> ScanFault.Kind? {
        let isFirstEver = pageTimeline == nil && lastRecordStart == nil
        let expected: Int?
        switch phase {
        case .betweenRecords, .segmentTail: expected = nil
        case .continuation, .body, .padding: expected = bytesLeft
        case .header: expected = totalLength &- headerFilled
        }
        if header.overwrites {
            dropOpenRecord()
            return nil
        }
        let found = Int(header.remaining)
        if let expected {
            guard header.continues, found == expected else { return .badContinuation(remaining: header.remaining) }
            if phase == .continuation {
                beginContinuation(found, headerSize: size)
            }
            return nil
        }
        guard header.continues else { return nil }
        guard isFirstEver, found > 0, found <= Int(RecordHeader.maxTotalLength) else {
            return .badContinuation(remaining: header.remaining)
        }
        beginContinuation(found, headerSize: size)
        return nil
    }

    /// Skips the rest of an earlier record; on its last page with the padding up to the next record.
    private mutating func beginContinuation(_ count: Int, headerSize: Int) {
        phase = .continuation
        bytesLeft = count <= PageHeader.pageSize &- headerSize ? (count &+ 7) & ~7 : count
    }

    mutating func takeContinuation(_ bytes: UnsafeRawBufferPointer) -> Int {
        let count = min(bytes.count, bytesLeft)
        advance(count)
        bytesLeft &-= count
        if bytesLeft == 0 {
            phase = .betweenRecords
        }
        return count
    }

    /// The rest of the segment after a switch; nobody reads its pages.
    mutating func takeSegmentTail(_ bytes: UnsafeRawBufferPointer) -> Int {
        let left = segmentSize.bytes &- segmentSize.offset(of: position)
        let count = Int(min(UInt64(bytes.count), left))
        advance(count)
        if UInt64(count) == left {
            phase = .betweenRecords
            recordEnd = position
        }
        return count
    }
}
