package import ArchiveModel
import Platform
import WALFormat
import WALStore

/// What the index says to those who look for a target.
extension TargetIndex {
    /// - Parameters:
    ///   - work: what it is used for.
    ///   - say: is told of what a user should know, such as an index that was built anew.
    package static func of(
        _ container: Container,
        for work: String,
        say: @escaping @Sendable (String) -> Void
    ) -> TargetIndex {
        TargetIndex(
            passOver: { target, redo, path in
                guard let wanted = IndexLookup.Wanted(target) else { return nil }
                // Without it, and from where it ends, the WAL is read.
                return try? IndexFile(container).look { index in
                    let lookup = IndexLookup(index, size: container.segmentSize)
                    guard let passed = try lookup.passOver(wanted, from: redo, along: path),
                        try isThere(passed.stretches, index, container)
                    else { return nil }
                    return PassedWAL(passed, redo: redo)
                }
            },
            near: { target, redo, path in
                guard let wanted = IndexLookup.Wanted(target) else { return nil }
                return try? IndexFile(container).look { index in
                    try IndexLookup(index, size: container.segmentSize).near(wanted, from: redo, along: path)
                }
            },
            drops: { table in
                try ArchiveContents.use(container, for: work, glance: true, say: say) { try drops(of: table, in: $0) }
            },
            nearest: { table in
                try ArchiveContents.use(container, for: work, glance: true, say: say) {
                    try EventSearch.near(table, in: $0.index)
                }
            },
            timelinesOfEvent: { position in
                // With one timeline there is no other that an event could be on.
                guard try container.walDirectory.timelines().count > 1 else { return [] }
                return try ArchiveContents.use(container, for: work, glance: true, say: say) { contents in
                    Set(try contents.events(at: position).map(\.timeline))
                }
            }
        )
    }

    /// Whether the files are still the ones that the index speaks of.
    private static func isThere(
        _ stretches: [IndexLookup.Stretch],
        _ index: IndexDatabase,
        _ container: Container
    ) throws -> Bool {
        var isThere = true
        for stretch in stretches where isThere {
            try index.eachFile(in: .init(timeline: stretch.timeline, numbers: stretch.numbers)) { file in
                guard isThere else { return }
                let name = SegmentName(timeline: file.timeline, number: file.number, size: container.segmentSize)
                // One that cannot be looked at is told of by who reads it.
                let stored = (try? container.walDirectory.locate(name, completeOnly: true)) ?? nil
                isThere = stored.map(file.isOf) ?? false
            }
        }
        return isThere
    }

    private static func drops(of table: String, in contents: ArchiveContents) throws -> Drops {
        var filter = EventFilter()
        filter.kinds = ["drop"]
        filter.table = table
        let wanted = EventFilter.folded(table)
        let list = try EventList.find(filter, in: contents)
        var drops = Drops(unnamed: list.unnamed.map { ($0.start, $0.timeline) })
        for named in list.events.reversed() {
            for name in named.names where EventFilter.forms(of: name, database: named.database).contains(wanted) {
                drops.known.append(
                    Drop(
                        start: named.event.start,
                        timeline: named.event.timeline,
                        time: named.event.time,
                        table: (named.database.map { "\($0)." } ?? "") + name.text
                    )
                )
            }
        }
        return drops
    }
}

extension IndexLookup.Wanted {
    init?(_ target: Target) {
        switch target {
        case .time(let time, let inclusive): self = .time(time, inclusive: inclusive)
        case .lsn(let position, _), .before(let position): self = .position(position)
        case .transaction(let id, _): self = .transaction(id)
        case .restorePoint(let name): self = .restorePoint(name)
        case .latest: self = .end
        case .snapshotItself: return nil
        }
    }
}

extension PassedWAL {
    /// What is read begins with a segment that holds the end of a transaction: the last one before it is made more
    /// exact there, before anything depends on it.
    init(_ passed: IndexLookup.Passed, redo: LSN) {
        self.init(
            end: passed.end,
            lastEnding: passed.lastCommit?.end ?? redo,
            lastCommit: passed.lastCommit.map {
                StopRule.Ending(time: $0.time, transactionID: $0.transactionID, start: $0.start, end: $0.end)
            },
            newestTime: passed.newestTime,
            clockSteppedBack: passed.clockSteppedBack,
            parameters: passed.parameters.map { HotStandbyParameters($0) },
            barrier: passed.barrier,
            fullPageWritesOff: passed.fullPageWritesOff
        )
    }
}
