extension SegmentScanner {
    /// The hot loop: records that lie in one piece in the chunk and on the page.
    ///
    /// Takes 0 bytes where the next record is not of that kind.
    @inline(__always)
    mutating func takeWholeRecords(_ bytes: UnsafeRawBufferPointer, _ onRecord: Visitor) rethrows -> Int {
        guard let base = bytes.baseAddress else { return 0 }
        var taken = 0
        while bytes.count &- taken >= RecordHeader.size, !stopped {
            let record = base + taken
            let header = RecordHeader(record)
            let space = (Int(header.totalLength) &+ 7) & ~7
            guard header.totalLength >= RecordHeader.size, header.totalLength <= RecordHeader.maxTotalLength,
                space <= bytes.count &- taken
            else { break }
            if let kind = header.fault(at: position.rawValue, after: lastRecordStart) {
                fail(kind, at: position)
                break
            }
            let length = Int(header.totalLength)
            let body = UnsafeRawBufferPointer(start: record + RecordHeader.size, count: length &- RecordHeader.size)
            guard CRC32C.ofRecord(UnsafeRawBufferPointer(start: record, count: length)) == header.crc else {
                fail(.badCRC, at: position)
                break
            }
            let start = position
            advance(space)
            taken &+= space
            let complete = accept(header, at: start)
            let shown = header.bodyIsWanted || handsOutEveryBody ? body.prefix(Self.maxBodyBytes) : body.prefix(0)
            if try onRecord(complete, UnsafeRawBufferPointer(rebasing: shown)) == .stop {
                stopped = true
            }
            if phase == .segmentTail {
                break
            }
        }
        return taken
    }

    /// Makes the record that ends at `position` the last complete one.
    @inline(__always)
    private mutating func accept(_ header: RecordHeader, at start: LSN) -> WALRecord {
        lastRecordStart = start
        recordEnd = position
        phase = .betweenRecords
        let isSwitch = header.resourceManager == ResourceManager.xlog && header.info & 0xF0 == 0x40
        var end = position
        if isSwitch, segmentSize.offset(of: position) != 0 {
            phase = .segmentTail
            end = segmentSize.segmentEnd(of: position)
        }
        return WALRecord(
            start: start,
            end: end,
            previous: LSN(header.previous),
            transactionID: header.transactionID,
            totalLength: header.totalLength,
            resourceManager: header.resourceManager,
            info: header.info
        )
    }

    // What follows is for records in several pieces, about one on each page.

    mutating func beginRecord() {
        phase = .header
        recordStart = position
        headerFilled = 0
    }

    mutating func dropOpenRecord() {
        phase = .betweenRecords
        captured.removeAll(keepingCapacity: true)
    }

    private var header: RecordHeader? {
        withUnsafeBytes(of: headerBytes) { buffer in buffer.baseAddress.map { RecordHeader($0) } }
    }

    /// The open record's length; known as soon as its first part on the first page is there.
    var totalLength: Int { Int(UInt32(truncatingIfNeeded: UInt64(littleEndian: headerBytes.0))) }

    /// How much of the header is on the record's first page: 8, 16 or 24 bytes, hence always the length.
    private var headerPartOnFirstPage: Int {
        let offset = Int(truncatingIfNeeded: recordStart.rawValue & UInt64(PageHeader.pageSize - 1))
        return min(RecordHeader.size, PageHeader.pageSize &- offset)
    }

    mutating func takeHeader(_ bytes: UnsafeRawBufferPointer, _ onRecord: Visitor) rethrows -> Int {
        let firstPart = headerPartOnFirstPage
        let wanted = headerFilled < firstPart ? firstPart : RecordHeader.size
        let count = min(bytes.count, wanted &- headerFilled)
        withUnsafeMutableBytes(of: &headerBytes) { buffer in
            UnsafeMutableRawBufferPointer(rebasing: buffer[headerFilled...])
                .copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[..<count]))
        }
        headerFilled &+= count
        advance(count)
        if headerFilled == firstPart, !lengthIsPossible(part: firstPart) {
            return count
        }
        guard headerFilled == RecordHeader.size, let header else { return count }
        if let kind = header.fault(at: recordStart.rawValue, after: lastRecordStart) {
            failRecord(kind)
            return count
        }
        crc = CRC32C()
        captured.removeAll(keepingCapacity: true)
        bodyIsWanted = header.bodyIsWanted || handsOutEveryBody
        bytesLeft = totalLength &- RecordHeader.size
        phase = .body
        if bytesLeft == 0 {
            try completeRecord(onRecord)
        }
        return count
    }

    /// Looks at the length, and at zeros instead of a record, as soon as the header's part on this page is there.
    private mutating func lengthIsPossible(part: Int) -> Bool {
        let length = totalLength
        if length == 0 {
            let isZero = withUnsafeBytes(of: headerBytes) { $0[..<part].allSatisfy { $0 == 0 } }
            failRecord(isZero ? .endOfWAL : .badRecordLength(0))
            return false
        }
        guard length >= RecordHeader.size, length <= Int(RecordHeader.maxTotalLength) else {
            failRecord(.badRecordLength(UInt32(truncatingIfNeeded: length)))
            return false
        }
        return true
    }

    mutating func takeBody(_ bytes: UnsafeRawBufferPointer, _ onRecord: Visitor) rethrows -> Int {
        let count = min(bytes.count, bytesLeft)
        let part = UnsafeRawBufferPointer(rebasing: bytes[..<count])
        crc.update(part)
        if bodyIsWanted {
            captured.append(contentsOf: part.prefix(Self.maxBodyBytes &- captured.count))
        }
        bytesLeft &-= count
        advance(count)
        guard bytesLeft == 0 else { return count }
        bytesLeft = (8 &- totalLength & 7) & 7
        phase = .padding
        if bytesLeft == 0 {
            try completeRecord(onRecord)
        }
        return count
    }

    mutating func takePadding(_ bytes: UnsafeRawBufferPointer, _ onRecord: Visitor) rethrows -> Int {
        let count = min(bytes.count, bytesLeft)
        bytesLeft &-= count
        advance(count)
        if bytesLeft == 0 {
            try completeRecord(onRecord)
        }
        return count
    }

    private mutating func completeRecord(_ onRecord: Visitor) rethrows {
        guard let header else { return }
        withUnsafeBytes(of: headerBytes) { buffer in
            crc.update(UnsafeRawBufferPointer(rebasing: buffer[..<RecordHeader.sizeBeforeCRC]))
        }
        guard crc.value == header.crc else {
            failRecord(.badCRC)
            return
        }
        let record = accept(header, at: recordStart)
        let verdict = try captured.withUnsafeBytes { try onRecord(record, $0) }
        if verdict == .stop {
            stopped = true
        }
        releaseLargeCapture()
    }

    private mutating func releaseLargeCapture() {
        captured.removeAll(keepingCapacity: captured.count <= 1 << 16)
    }

    /// A fault of the open record: as if it had never begun.
    private mutating func failRecord(_ kind: ScanFault.Kind) {
        dropOpenRecord()
        fail(kind, at: recordStart)
    }
}
