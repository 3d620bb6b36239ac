import ArchiveModel
import Glibc
import Platform
import WALFormat
import WALStore

/// Whether one file is the segment that belongs between its neighbours: every page and record, those too that begin
/// before it or end behind it.
struct SegmentCheck {
    private let directory: WALDirectory
    private let expectation: SegmentScanner.Expectation
    /// Segments that are bad themselves, and say nothing of others.
    private let ignored: Set<UInt64>

    private var size: SegmentSize { directory.segmentSize }

    init(_ gathering: ChainGathering, ignoring ignored: Set<UInt64>) {
        directory = gathering.directory
        expectation = .init(systemIdentifier: gathering.systemIdentifier, major: gathering.major)
        self.ignored = ignored
    }

    func isRight(_ stored: StoredSegment) throws -> Bool {
        do {
            return try isRight(stored.name) { try directory.reader(of: stored) }
        } catch is StoreError {
            return false
        }
    }

    func isRight(_ name: SegmentName, at path: String) throws -> Bool {
        guard let start = name.start(size: size) else { return false }
        let stored = StoredSegment(name: name, form: .plain, bytes: size.bytes)
        return try isRight(name) { try SegmentReader(stored, path: path, start: start) }
    }

    private func isRight(_ name: SegmentName, _ open: () throws -> SegmentReader) throws -> Bool {
        guard let number = name.number(size: size), let start = name.start(size: size) else { return false }
        let reader = try open()
        var scanner = before(number, name.timeline) ?? fresh(start, name.timeline)
        try feed(&scanner, reader)
        let end = start.advanced(by: size.bytes)
        guard scanner.fault == nil, scanner.position == end, try isAtItsPlace(scanner, name, start) else {
            return false
        }
        guard scanner.recordEnd < end, !ignored.contains(number + 1),
            let next = try directory.open(SegmentName(timeline: name.timeline, number: number + 1, size: size))
        else { return true }
        // The record that is still open has to end well in the next one.
        do {
            try feed(&scanner, next)
        } catch is StoreError {
            return true
        }
        return scanner.recordEnd > end || scanner.fault == nil
    }

    /// A whole segment behind the fork may be of its own timeline only.
    private func isAtItsPlace(_ scanner: SegmentScanner, _ name: SegmentName, _ start: LSN) throws -> Bool {
        guard let fork = try? directory.history(name.timeline)?.parent?.end, start >= fork else { return true }
        return scanner.pageTimeline == name.timeline
    }

    private func fresh(_ start: LSN, _ timeline: TimelineID) -> SegmentScanner {
        var expectation = expectation
        expectation.timeline = timeline
        return SegmentScanner(startingAt: start, segmentSize: size, expectation: expectation)
    }

    /// A scanner that has read the segment before this one; nil where that does not lead here.
    private func before(_ number: UInt64, _ timeline: TimelineID) -> SegmentScanner? {
        guard number > 0, !ignored.contains(number - 1) else { return nil }
        let name = SegmentName(timeline: timeline, number: number - 1, size: size)
        guard let reader = (try? directory.open(name, completeOnly: true)) ?? nil else { return nil }
        var scanner = fresh(size.start(of: number - 1), timeline)
        guard (try? feed(&scanner, reader)) != nil, scanner.fault == nil, scanner.position == size.start(of: number)
        else { return nil }
        return scanner
    }

    private func feed(_ scanner: inout SegmentScanner, _ reader: SegmentReader) throws {
        var buffer = [UInt8](repeating: 0, count: 1 << 18)
        let end = size.segmentEnd(of: reader.position)
        while scanner.fault == nil, reader.position < end {
            let count = try buffer.withUnsafeMutableBytes { try reader.read(into: $0) }
            if count == 0 { return }
            buffer.withUnsafeBytes { scanner.consume(UnsafeRawBufferPointer(rebasing: $0[..<count])) }
        }
    }

    /// Compares what two readers give from where they are.
    static func haveSameContent(_ one: SegmentReader, _ other: SegmentReader) throws -> Bool {
        var ours = [UInt8](repeating: 0, count: 1 << 18)
        var theirs = ours
        while true {
            let count = try ours.withUnsafeMutableBytes { try one.read(into: $0) }
            let same = try theirs.withUnsafeMutableBytes { try other.read(into: $0) }
            guard count == same, ours.prefix(count) == theirs.prefix(same) else { return false }
            if count == 0 { return true }
        }
    }
}
