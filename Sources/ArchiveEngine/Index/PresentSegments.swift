import ArchiveModel
import Platform
import WALFormat
import WALStore

/// The segments of an archive at one moment, and which rows of the index say what is there.
///
/// Grows with the archive: some hundred bytes for each file.
struct PresentSegments {
    /// Without those that lie before their timeline's beginning: nothing leads there, and nothing is read of them.
    private(set) var complete: [TimelineID: [UInt64]] = [:]
    /// Those of which there is only a partial file.
    private(set) var partial: [TimelineID: [UInt64]] = [:]
    let histories: [TimelineID]
    let newestTimeline: TimelineID?
    /// The segments whose rows can stay as they are.
    private(set) var rows: [TimelineID: [UInt64]] = [:]
    /// Those whose rows cannot, though they are there, or not any more.
    private(set) var outdated: [TimelineID: [UInt64]] = [:]
    /// Complete, by timeline and number.
    private var files: [StoredSegment] = []
    private let container: Container
    private var size: SegmentSize { container.segmentSize }

    init(_ container: Container, _ index: IndexDatabase) throws {
        self.container = container
        let listing = try container.walDirectory.list()
        histories = listing.histories
        newestTimeline = listing.newestTimeline
        files = listing.segments.filter(\.form.isComplete)
        for segment in listing.segments where !segment.form.isComplete {
            if let number = segment.name.number(size: size) {
                partial[segment.name.timeline, default: []].append(number)
            }
        }
        try compare(index)
        for file in files {
            if let number = file.name.number(size: size) { complete[file.name.timeline, default: []].append(number) }
        }
        for (timeline, numbers) in complete {
            // Where the way there cannot be read, who reads the timeline says so.
            guard let beginning = (try? container.path(to: timeline))?.legs.dropLast().last?.end else { continue }
            let kept = numbers.drop { $0 < size.number(of: beginning) }
            if kept.count < numbers.count { complete[timeline] = kept.isEmpty ? nil : Array(kept) }
        }
    }

    /// Both are in order: each row is met by its file on the way.
    private mutating func compare(_ index: IndexDatabase) throws {
        var rest = files[...]
        var doubted: [(row: IndexDatabase.File, listed: StoredSegment?)] = []
        /// Rows whose last record goes on, and the first segment behind that may have more of it than was there.
        var open: [(row: IndexDatabase.File, next: UInt64)] = []
        try index.eachFile { row in
            let name = SegmentName(timeline: row.timeline, number: row.number, size: size)
            rest = rest.drop { ($0.name.timeline, $0.order(size)) < (row.timeline, row.number) }
            let listed = rest.first.flatMap { $0.name == name ? $0 : nil }
            guard let listed, row.isOf(listed) else { return doubted.append((row, listed)) }
            rows[row.timeline, default: []].append(row.number)
            if let last = open.last, last.row.timeline == row.timeline, last.next == row.number {
                if row.beginsNothing { open[open.count - 1].next += 1 } else { open.removeLast() }
            }
            if row.openRecord != nil { open.append((row, row.number &+ 1)) }
        }
        for (row, listed) in doubted { try look(at: row, listed) }
        if !doubted.isEmpty {
            let size = size
            files.sort { ($0.name.timeline, $0.order(size)) < ($1.name.timeline, $1.order(size)) }
            for timeline in rows.keys { rows[timeline]?.sort() }
        }
        for (row, next) in open where file(next, of: row.timeline) != nil { doubt(row.number, of: row.timeline) }
        for (timeline, numbers) in outdated {
            var last: UInt64?
            for number in numbers.sorted() {
                defer { last = number }
                if let last, last &+ 1 == number { continue }
                if let before = try index.number(leadingInto: number, of: timeline, size: size) {
                    doubt(before, of: timeline)
                }
            }
        }
    }

    private mutating func doubt(_ number: UInt64, of timeline: TimelineID) {
        guard rows[timeline]?.contains(number) == true else { return }
        rows[timeline]?.removeAll { $0 == number }
        outdated[timeline, default: []].append(number)
    }

    /// The listing may have missed a segment that changed its form meanwhile.
    private mutating func look(at row: IndexDatabase.File, _ listed: StoredSegment?) throws {
        let name = SegmentName(timeline: row.timeline, number: row.number, size: size)
        let stored = try listed ?? container.walDirectory.locate(name, completeOnly: true)
        if let stored, listed == nil { files.append(stored) }
        let isAsItWas = stored.map { stored in
            row.form == nil ? (try? container.walDirectory.reader(of: stored)) == nil : row.isOf(stored)
        }
        if isAsItWas == true {
            rows[row.timeline, default: []].append(row.number)
        } else {
            outdated[row.timeline, default: []].append(row.number)
        }
    }

    /// The complete file of a segment.
    func file(_ number: UInt64, of timeline: TimelineID) -> StoredSegment? {
        var (low, high) = (0, files.count)
        while low < high {
            let middle = (low + high) / 2
            if (files[middle].name.timeline, files[middle].order(size)) < (timeline, number) {
                low = middle + 1
            } else {
                high = middle
            }
        }
        guard low < files.count, files[low].name == SegmentName(timeline: timeline, number: number, size: size) else {
            return nil
        }
        return files[low]
    }

    /// Whether there is anything of a segment.
    func isThere(_ number: UInt64, of timeline: TimelineID) -> Bool {
        file(number, of: timeline) != nil || partial[timeline]?.contains(number) == true
    }
}

extension StoredSegment {
    fileprivate func order(_ size: SegmentSize) -> UInt64 { name.number(size: size) ?? 0 }
}

extension IndexDatabase.File {
    /// Whether a row was made of this very file, or of the plain one that it was compressed from.
    func isOf(_ stored: StoredSegment) -> Bool {
        guard let form, let other = stored.stamp else { return false }
        if form == .plain, stored.form != .plain { return stamp.modified == other.modified }
        return form == stored.form && bytes == stored.bytes && stamp == other
    }
}
