package import ArchiveModel
import Platform
package import WALFormat
package import WALStore

/// What of an archive is looked at: the records that begin within.
package struct InspectionRange: Sendable {
    package let path: TimelinePath
    package let from: LSN
    /// What begins here or later is left out.
    package let upTo: LSN
    /// The segments' numbers.
    let segments: ClosedRange<UInt64>

    /// What a user calls it.
    package enum Words: Hashable, Sendable {
        case segment(SegmentName)
        case positions(LSN, LSN?)

        /// A segment's name, in any form's spelling, or `LSN..LSN`, the second of which may be missing.
        package init?(_ text: String) {
            if let dots = text.firstRange(of: "..") {
                let second = text[dots.upperBound...]
                guard let first = LSN(String(text[..<dots.lowerBound])) else { return nil }
                if second.isEmpty {
                    self = .positions(first, nil)
                    return
                }
                guard let last = LSN(String(second)), last > first else { return nil }
                self = .positions(first, last)
                return
            }
            guard let name = SegmentName(String(text.prefix(24))), text.count == 24 || text.dropFirst(24).first == "."
            else { return nil }
            self = .segment(name)
        }
    }

    /// - Parameter timeline: of positions; nil is the archive's newest.
    package init(_ words: Words, timeline: TimelineID?, in directory: WALDirectory) throws {
        let size = directory.segmentSize
        switch words {
        case .segment(let name):
            guard let number = name.number(size: size) else {
                throw ArchiveError(.usage, "'\(name)' is not a name of segments of \(size)")
            }
            if try directory.locate(name) == nil {
                throw ArchiveError(
                    .notFound,
                    "segment \(name) is not in '\(directory.path)'",
                    hint: "'pgarchive wal_archive list' shows what is there"
                )
            }
            path = TimelinePath(name.timeline)
            segments = number...number
            from = size.start(of: number)
            upTo = size.segmentEnd(of: from)
        case .positions(let first, let last):
            let listing = try directory.list()
            guard let newest = timeline ?? listing.newestTimeline else {
                throw ArchiveError(.notFound, "there is no WAL in '\(directory.path)'")
            }
            path = try directory.path(to: newest)
            let end = listing.last(of: newest)?.name.start(size: size).map { size.segmentEnd(of: $0) }
            from = first
            upTo = last ?? max(end ?? first, size.segmentEnd(of: first))
            segments = size.number(of: first)...max(size.number(of: first), size.number(of: LSN(upTo.rawValue &- 1)))
        }
    }
}
