package import WALFormat

/// What brings an index up to the archive as it is: rows that go, and segments to be read.
///
/// Pure: made from the numbers of the segments that are there, and of those that have rows.
package struct IndexPlan: Hashable, Sendable {
    /// Segments that follow each other.
    package struct Run: Hashable, Sendable {
        package var timeline: TimelineID
        package var numbers: ClosedRange<UInt64>

        package init(timeline: TimelineID, numbers: ClosedRange<UInt64>) {
            self.timeline = timeline
            self.numbers = numbers
        }
    }

    /// Rows of segments that are not there any more, and of those that are read again.
    package var remove: [Run] = []
    /// In the order in which they are read: by timeline and number.
    package var read: [Run] = []

    package var isEmpty: Bool { remove.isEmpty && read.isEmpty }
    package var segmentsToRead: UInt64 { read.reduce(0) { $0 + $1.numbers.upperBound - $1.numbers.lowerBound + 1 } }

    /// - Parameters:
    ///   - present: the complete segments of each timeline, in order.
    ///   - rows: the segments with rows, in order.
    package init(present: [TimelineID: [UInt64]], rows: [TimelineID: [UInt64]]) {
        for timeline in Set(present.keys).union(rows.keys).sorted() {
            let here = present[timeline] ?? []
            let known = rows[timeline] ?? []
            let hereSet = Set(here)
            let knownSet = Set(known)
            // What a row says follows from the segments before it: one that came later means reading on from there.
            let filled = here.first { !knownSet.contains($0) }
            let again = filled ?? UInt64.max
            remove += Self.runs(known.filter { !hereSet.contains($0) || $0 > again }, of: timeline)
            read += Self.runs(here.filter { !knownSet.contains($0) || $0 > again }, of: timeline)
        }
    }

    private static func runs(_ numbers: [UInt64], of timeline: TimelineID) -> [Run] {
        var runs: [Run] = []
        for number in numbers {
            if let last = runs.indices.last, runs[last].numbers.upperBound &+ 1 == number {
                runs[last].numbers = runs[last].numbers.lowerBound...number
            } else {
                runs.append(Run(timeline: timeline, numbers: number...number))
            }
        }
        return runs
    }
}
