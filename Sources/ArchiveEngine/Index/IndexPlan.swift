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
    ///   - rows: the segments with rows that say what is there, in order.
    ///   - outdated: the segments with other rows.
    package init(
        present: [TimelineID: [UInt64]],
        rows: [TimelineID: [UInt64]],
        outdated: [TimelineID: [UInt64]] = [:]
    ) {
        var firstRead = UInt64.max
        for timeline in Set(present.keys).union(rows.keys).union(outdated.keys).sorted() {
            let here = present[timeline] ?? []
            let known = rows[timeline] ?? []
            let gone = Self.subtracting(here, from: (known + (outdated[timeline] ?? [])).sorted())
            // What a row says follows from the segments before it, also on the timelines before: one that came later,
            // or went and did not expire, means reading on from there.
            var again = Self.subtracting(known, from: here).first ?? .max
            if let oldest = here.first, let hole = gone.first(where: { $0 > oldest }) { again = min(again, hole) }
            if let first = known.first, firstRead < first { again = 0 }
            firstRead = min(firstRead, max(again, here.first ?? .max))
            remove += Self.runs(((outdated[timeline] ?? []) + gone + known.drop { $0 < again }).sorted(), of: timeline)
            read += Self.runs(Array(here.drop { $0 < again }), of: timeline)
        }
    }

    /// Those of `all` that are not among `others`; both are in order.
    private static func subtracting(_ others: [UInt64], from all: [UInt64]) -> [UInt64] {
        var others = others[...]
        return all.filter { number in
            others = others.drop { $0 < number }
            return others.first != number
        }
    }

    /// Of numbers in order, of which some may be there twice.
    private static func runs(_ numbers: [UInt64], of timeline: TimelineID) -> [Run] {
        var runs: [Run] = []
        for number in numbers {
            if let last = runs.indices.last, number <= runs[last].numbers.upperBound &+ 1 {
                runs[last].numbers = runs[last].numbers.lowerBound...max(number, runs[last].numbers.upperBound)
            } else {
                runs.append(Run(timeline: timeline, numbers: number...number))
            }
        }
        return runs
    }
}
