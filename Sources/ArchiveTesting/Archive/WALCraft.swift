package import WALFormat

/// WAL made to measure: pages and records that PostgreSQL's reader would accept, without a server.
///
/// The bytes begin at a segment's start. The layout is that of xlogrecord.h and xlog_internal.h.
package struct WALCraft: Sendable {
    package let start: LSN
    package let segmentSize: SegmentSize
    package let major: PostgresMajor
    package let systemIdentifier: UInt64
    /// Of the pages that come next.
    package var timeline: TimelineID
    package private(set) var bytes: [UInt8] = []
    /// All records so far; a scanner has to find the same.
    package private(set) var records: [WALRecord] = []
    /// The next page says that the record before it was never finished.
    private var overwritesNext = false

    private static let pageSize: UInt64 = 8192

    package init(
        start: LSN,
        segmentSize: SegmentSize,
        major: PostgresMajor = .v15,
        systemIdentifier: UInt64 = 0x5EED_0123_4567_89AB,
        timeline: TimelineID = TimelineID(1)
    ) {
        self.start = segmentSize.segmentStart(of: start)
        self.segmentSize = segmentSize
        self.major = major
        self.systemIdentifier = systemIdentifier
        self.timeline = timeline
    }

    package var position: LSN { start.advanced(by: UInt64(bytes.count)) }

    /// Appends a record with this body (all that follows the 24-byte header).
    @discardableResult
    package mutating func record(
        _ manager: UInt8,
        info: UInt8 = 0,
        transaction: UInt32 = 0,
        body: [UInt8]
    ) -> WALRecord {
        let previous = records.last?.start ?? .invalid
        var header: [UInt8] = []
        header.appendLittle(UInt32(24 + body.count))
        header.appendLittle(transaction)
        header.appendLittle(previous.rawValue)
        header += [info, manager, 0, 0]
        var crc = CRC32C()
        body.withUnsafeBytes { crc.update($0) }
        header.withUnsafeBytes { crc.update($0) }
        header.appendLittle(crc.value)
        let place = append(header + body)
        let isSwitch = manager == ResourceManager.xlog && info & 0xF0 == 0x40
        let isInside = segmentSize.offset(of: position) != 0
        let record = WALRecord(
            start: place,
            end: isSwitch && isInside ? segmentSize.segmentEnd(of: position) : position,
            previous: previous,
            transactionID: transaction,
            totalLength: UInt32(24 + body.count),
            resourceManager: manager,
            info: info
        )
        records.append(record)
        return record
    }

    /// Appends a record without block references, whose body is this main data.
    @discardableResult
    package mutating func record(
        _ manager: UInt8,
        info: UInt8 = 0,
        transaction: UInt32 = 0,
        main: [UInt8]
    ) -> WALRecord {
        var body: [UInt8] = []
        if main.count > 255 {
            body.append(254)
            body.appendLittle(UInt32(main.count))
        } else if !main.isEmpty {
            body += [255, UInt8(main.count)]
        }
        return record(manager, info: info, transaction: transaction, body: body + main)
    }

    /// A record of no meaning; `byteCount` bytes with its header, at least 24.
    @discardableResult
    package mutating func filler(byteCount: Int) -> WALRecord {
        let logicalMessage: UInt8 = 21
        let content = [UInt8](repeating: UInt8(truncatingIfNeeded: byteCount &* 7 | 1), count: max(0, byteCount - 24))
        return record(logicalMessage, body: content)
    }

    @discardableResult
    package mutating func commit(_ transaction: UInt32, at time: PostgresTime) -> WALRecord {
        var main: [UInt8] = []
        main.appendLittle(time.rawValue)
        return record(ResourceManager.transaction, transaction: transaction, main: main)
    }

    @discardableResult
    package mutating func createTablespace(_ oid: UInt32, path: String) -> WALRecord {
        var main: [UInt8] = []
        main.appendLittle(oid)
        return record(ResourceManager.tablespace, main: main + Array(path.utf8) + [0])
    }

    /// A switch record, and the rest of its segment empty as PostgreSQL writes it.
    @discardableResult
    package mutating func switchSegment() -> WALRecord {
        let record = record(ResourceManager.xlog, info: 0x40, body: [])
        finishSegment()
        return record
    }

    /// Zeros up to the segment's end; inside of the WAL that is its end.
    package mutating func finishSegment() {
        let left = segmentSize.bytes - segmentSize.offset(of: position)
        if left < segmentSize.bytes {
            bytes += [UInt8](repeating: 0, count: Int(left))
        }
    }

    /// The beginning of a record, up to the end of its first page, that the following record overwrites after a crash.
    package mutating func unfinishedRecord() {
        let place = position
        filler(byteCount: 3 * Int(Self.pageSize))
        records.removeLast()
        let pageEnd = LSN((place.rawValue & ~(Self.pageSize - 1)) + Self.pageSize)
        bytes.removeLast(Int(position.bytes(since: pageEnd)))
        overwritesNext = true
    }

    @discardableResult
    private mutating func append(_ content: [UInt8]) -> LSN {
        if position.rawValue % Self.pageSize == 0, !content.isEmpty {
            appendPageHeader(remaining: 0)
        }
        let place = position
        var rest = content[...]
        while !rest.isEmpty {
            if position.rawValue % Self.pageSize == 0 {
                appendPageHeader(remaining: UInt32(rest.count))
            }
            let part = rest.prefix(Int(Self.pageSize - position.rawValue % Self.pageSize))
            bytes += part
            rest = rest.dropFirst(part.count)
        }
        bytes += [UInt8](repeating: 0, count: (8 - bytes.count % 8) % 8)
        return place
    }

    private mutating func appendPageHeader(remaining: UInt32) {
        let isLong = segmentSize.offset(of: position) == 0
        let address = position.rawValue
        let flags: UInt16 = (remaining > 0 ? 1 : 0) | (isLong ? 2 : 0) | (overwritesNext ? 8 : 0)
        overwritesNext = false
        bytes.appendLittle(major.pageMagic)
        bytes.appendLittle(flags)
        bytes.appendLittle(timeline.rawValue)
        bytes.appendLittle(address)
        bytes.appendLittle(remaining)
        bytes.appendLittle(UInt32(0))
        if isLong {
            bytes.appendLittle(systemIdentifier)
            bytes.appendLittle(UInt32(segmentSize.bytes))
            bytes.appendLittle(UInt32(Self.pageSize))
        }
    }
}

extension [UInt8] {
    package mutating func appendLittle(_ value: some FixedWidthInteger) {
        Swift.withUnsafeBytes(of: value.littleEndian) { append(contentsOf: $0) }
    }
}
