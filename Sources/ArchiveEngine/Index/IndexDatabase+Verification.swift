import ArchiveModel
import Platform
import WALFormat

extension IndexFile {
    /// Takes out the rows that say otherwise than a verification has found: their segments are read anew.
    ///
    /// - Parameter needed: all that the verification has read.
    func agree(with breaks: [ChainBreak], in needed: [TimelineID: [ClosedRange<UInt64>]]) throws {
        guard FileTree.exists(container.paths.index) else { return }
        let index = try IndexDatabase(container.paths.index)
        // With the right to write from the start: what was read must still be so when it is changed.
        try index.database.transaction {
            let faults = try index.doubtful().filter { $0.fault != nil }
            var wrong = breaks.filter(\.isOfContent).map { IndexPlan.Run(timeline: $0.timeline, numbers: $0.numbers) }
            wrong.removeAll { run in
                faults.contains { $0.timeline == run.timeline && run.numbers.contains($0.number) }
            }
            for fault in faults where needed[fault.timeline]?.contains(where: { $0.contains(fault.number) }) ?? false {
                let numbers = fault.number...fault.number
                let isFound = breaks.contains { $0.timeline == fault.timeline && $0.numbers.overlaps(numbers) }
                if !isFound { wrong.append(.init(timeline: fault.timeline, numbers: numbers)) }
            }
            for run in wrong {
                var run = run
                if let before = try index.number(
                    leadingInto: run.numbers.lowerBound,
                    of: run.timeline,
                    size: container.segmentSize
                ) {
                    run.numbers = before...run.numbers.upperBound
                }
                try index.remove(run)
            }
        }
    }
}
