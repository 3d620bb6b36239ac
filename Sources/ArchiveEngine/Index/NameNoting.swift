import Platform
import WALFormat

/// Notes which events have all their names: these are not looked at again when one without is looked for.
///
/// A sweep goes through all events that are not noted, of each kind from the newest on, in short steps, as others wait
/// for the index meanwhile. Those without names hide no others that way, and are asked for again only once names or
/// events have come.
package struct NameNoting {
    /// A sweep begins so many times later as the last one took.
    private let leisure: Double
    /// The kinds that are left, and of the first of them the last place that was looked at.
    private var kinds: [String] = []
    private var last: IndexDatabase.EventPlace?
    private var mark: Mark?
    private var took = 0.0
    private var due = 0.0

    package init(leisure: Double = 20) {
        self.leisure = leisure
    }

    /// While this is the same, a sweep would find what the last one found.
    private struct Mark: Equatable {
        var names: LSN?
        var newest: [IndexDatabase.EventPlace]

        init(_ index: IndexDatabase) throws {
            names = try index.namesState()?.position
            newest = []
            for kind in SurveyEvent.kindsOfRelations.sorted() {
                newest += try index.placesWithoutNames(kind, limit: 1)
            }
        }
    }

    /// Goes on with the sweep, or begins one where there is cause; whether some of it is left.
    package mutating func step(_ index: IndexDatabase, most: Int = 2000, seconds: Double = 0.2) throws -> Bool {
        let began = SystemClock.monotonicSeconds()
        // What is not written was not looked at.
        var next = self
        if next.kinds.isEmpty {
            let mark = try Mark(index)
            guard mark != self.mark, began >= due else { return false }
            next.mark = mark
            next.kinds = SurveyEvent.kindsOfRelations.sorted()
            next.took = 0
        }
        try index.database.transaction { try next.note(in: index, most, until: began + seconds) }
        let now = SystemClock.monotonicSeconds()
        next.took += now - began
        next.due = now + next.took * leisure
        self = next
        return !kinds.isEmpty
    }

    private mutating func note(in index: IndexDatabase, _ most: Int, until end: Double) throws {
        let names = EventNames(index)
        var left = most
        while left > 0, let kind = kinds.first {
            for place in try index.placesWithoutNames(kind, before: last, limit: left) {
                // What is behind the end of a cut list may have any name: such an event is always looked at.
                if let event = try index.event(at: place), !event.kind.mayBeCut {
                    let isUnknown = try names.named(event).isUnknown
                    if !isUnknown { try index.setNamed(place) }
                }
                last = place
                left -= 1
                if SystemClock.monotonicSeconds() >= end { return }
            }
            if left > 0 {
                kinds.removeFirst()
                last = nil
            }
        }
    }
}
