import Platform
import WALFormat

/// Brings one segment from the archive to PostgreSQL: checked while it is copied, visible only when all of it is right.
struct SegmentDelivery {
    let directory: WALDirectory
    let segment: FetchPlan.Segment
    let target: String
    let systemIdentifier: UInt64?
    /// All records up to the limit were checked just now, also for paths outside of the container.
    let isChecked: Bool
    /// A partial segment is served as far as its records go: WAL ends there.
    let endsInPartial: Bool
    /// Records that would make replay touch paths outside of the container are not served.
    let guardsTablespaces: Bool

    /// What was found up to where the segment was read.
    private struct Inspection {
        var scanner: SegmentScanner
        /// A record that must not be replayed, and what it would do.
        var held: (record: WALRecord, tablespace: FetchTrouble.Tablespace)?
    }

    /// A file that may be given to PostgreSQL.
    struct Prepared {
        let file: FetchTarget
        /// Why the file ends before the segment or the limit does.
        let hold: FetchTrouble?
        /// The bytes that are from the archive; the others are zeros.
        let kept: UInt64
    }

    /// Reads and checks the segment.
    ///
    /// - Throws: `FetchTrouble` for what is wrong with the archive's copy.
    func prepare(_ reader: SegmentReader) throws -> Prepared {
        let size = directory.segmentSize
        let bytes = try reader.fileBytes()
        guard reader.stored.form != .plain || bytes == size.bytes else {
            throw StoreError.wrongSize(path: reader.path, bytes: bytes, expected: size.bytes)
        }
        let file = try FetchTarget(target)
        if isChecked, try cloneIfPossible(reader, into: file) {
            try checkFirstPage(reader)
            file.willBeRead()
            let kept = segment.limit.bytes(since: segment.start)
            if kept < size.bytes {
                try file.fillWithZeros(after: kept, size: size.bytes)
            }
            return Prepared(file: file, hold: nil, kept: kept)
        }
        var inspection = try begin(reader)
        let isCloned = try cloneIfPossible(reader, into: file)
        try inspect(reader, &inspection, into: file, isCloned: isCloned)
        var end = inspection.scanner.position
        var hold: FetchTrouble?
        if let (record, tablespace) = inspection.held {
            hold = tablespaceHold(record, tablespace)
            end = max(segment.start, record.start)
        } else if endsInPartial, !reader.stored.form.isComplete {
            end = try partialEnd(inspection.scanner, reader)
        } else {
            try check(inspection.scanner, reader)
        }
        let kept = end.bytes(since: segment.start)
        if kept < size.bytes {
            try file.fillWithZeros(after: kept, size: size.bytes)
        }
        return Prepared(file: file, hold: hold, kept: kept)
    }

    /// That the file is the one that was checked: this segment of this cluster.
    private func checkFirstPage(_ reader: SegmentReader) throws {
        var scanner = SegmentScanner(
            startingAt: segment.start,
            segmentSize: directory.segmentSize,
            expectation: .init(systemIdentifier: systemIdentifier, timeline: segment.name.timeline)
        )
        reader.header.withUnsafeBytes { scanner.consume($0) }
        if let fault = scanner.fault { throw damaged(reader, fault) }
    }

    private func damaged(_ reader: SegmentReader, _ fault: ScanFault) -> FetchTrouble {
        FetchTrouble(
            .corrupt,
            segment.name.description,
            at: fault.position,
            "\(reader.path) is damaged: \(fault)",
            hint: "put an intact copy of the segment in its place, if there is one"
        )
    }

    private func begin(_ reader: SegmentReader) throws -> Inspection {
        let expectation = SegmentScanner.Expectation(
            systemIdentifier: systemIdentifier,
            timeline: segment.name.timeline
        )
        let open = try SegmentTail(directory: directory, expectation: expectation)
            .openRecord(before: segment, header: reader.header, guardsTablespaces: guardsTablespaces)
        return Inspection(
            scanner: open
                ?? SegmentScanner(
                    startingAt: segment.start,
                    segmentSize: directory.segmentSize,
                    expectation: expectation
                )
        )
    }

    private func cloneIfPossible(_ reader: SegmentReader, into file: FetchTarget) throws -> Bool {
        guard let descriptor = reader.plainDescriptor, try reader.fileBytes() == directory.segmentSize.bytes else {
            return false
        }
        return file.clone(from: descriptor)
    }

    /// What was taken over by reference is read where PostgreSQL will read it: the kernel caches each of the two files.
    private func inspect(
        _ reader: SegmentReader,
        _ inspection: inout Inspection,
        into file: FetchTarget,
        isCloned: Bool
    ) throws {
        let major = reader.major ?? .v15
        try withSegmentBuffer { buffer in
            var position = reader.position
            while position < segment.limit, inspection.scanner.fault == nil, inspection.held == nil {
                let offset = position.bytes(since: segment.start)
                let wanted = min(UInt64(buffer.count), segment.limit.bytes(since: position))
                let space = UnsafeMutableRawBufferPointer(rebasing: buffer[..<Int(wanted)])
                let count = isCloned ? try file.read(into: space, at: offset) : try reader.read(into: space)
                if count == 0 { return }
                position = position.advanced(by: UInt64(count))
                let bytes = UnsafeRawBufferPointer(rebasing: space[..<count])
                if !isCloned { try file.write(bytes, at: offset) }
                var held: (WALRecord, FetchTrouble.Tablespace)?
                inspection.scanner.consume(bytes) { record, body in
                    guard guardsTablespaces, record.resourceManager == ResourceManager.tablespace,
                        case .tablespaceCreate(let oid, let path)? = WALEvent.decode(record, body: body, major: major),
                        !path.isEmpty
                    else { return .proceed }
                    held = (record, FetchTrouble.Tablespace(oid: oid, path: path))
                    return .stop
                }
                inspection.held = held
            }
        }
    }

    /// What follows the last record is the beginning of one at best, or what the file held before it was recycled.
    private func partialEnd(_ scanner: SegmentScanner, _ reader: SegmentReader) throws -> LSN {
        guard let fault = scanner.fault, fault.position == segment.start, !fault.isEndOfWAL else {
            let isWhole = scanner.fault == nil && scanner.position >= segment.limit
            return isWhole ? scanner.position : max(segment.start, scanner.recordEnd)
        }
        throw damaged(reader, fault)
    }

    private func check(_ scanner: SegmentScanner, _ reader: SegmentReader) throws {
        let name = segment.name.description
        let isComplete = reader.stored.form.isComplete
        if let fault = scanner.fault, isComplete { throw damaged(reader, fault) }
        guard scanner.fault == nil, scanner.position >= segment.limit else {
            throw FetchTrouble(
                isComplete ? .corrupt : .short,
                name,
                at: scanner.position,
                "\(reader.path) ends at \(scanner.recordEnd), before \(segment.limit), up to which it is needed",
                hint: isComplete
                    ? "put a whole copy of the segment in its place, if there is one"
                    : "choose a target before \(scanner.recordEnd), or wait until the WAL has arrived"
            )
        }
        let end = directory.segmentSize.segmentEnd(of: segment.start)
        if segment.limit < end, let open = scanner.openRecordStart {
            throw FetchTrouble(
                .badLimit,
                name,
                at: open,
                "\(segment.limit) is not the end of a record: the one that begins at \(open) goes on beyond",
                hint: "give --until the end of a record, such as \(open)"
            )
        }
    }

    private func tablespaceHold(_ record: WALRecord, _ tablespace: FetchTrouble.Tablespace) -> FetchTrouble {
        FetchTrouble(
            .tablespace,
            segment.name.description,
            at: record.start,
            "replay would create tablespace \(tablespace.oid) at \(tablespace.path), outside of the container",
            hint: "replay is held before \(record.start); a container made anew takes the tablespace in",
            tablespace: tablespace
        )
    }
}
