import ArchiveModel
import WALFormat
import WALStore

/// Reads all that is needed on all processors, and tells only where something is wrong: what exactly, and how far, is
/// for `ChainWalk` to find out there.
struct ChainSurvey {
    let directory: WALDirectory
    let plan: ChainPlan
    let major: PostgresMajor?

    /// What was read, and the segments beside which to look closer.
    struct Result {
        var reading = ChainReading()
        var suspects: [TimelineID: [UInt64]] = [:]
        /// The last commit before each of them.
        var commitsBefore: [TimelineID: [UInt64: PostgresTime]] = [:]
    }

    private var size: SegmentSize { plan.facts.segmentSize }

    func run(progress: (UInt64) -> Void) throws -> Result {
        var result = Result()
        var covered: [TimelineID: [ClosedRange<UInt64>]] = [:]
        // The newest timeline's path holds most of its ancestors.
        for tip in plan.tips.reversed() {
            for run in runs(of: tip, besides: covered) {
                try read(run, along: tip, progress, &result)
            }
            for leg in tip.legs { covered[leg.timeline, default: []].append(leg.numbers) }
        }
        for (timeline, reach) in plan.facts.reaches where reach.isValid {
            guard let end = result.reading.ends[timeline], end < reach else { continue }
            result.suspects[timeline, default: []].append(size.number(of: LSN(reach.rawValue - 1)))
        }
        return result
    }

    /// Consecutive segments that are there and were not read with another tip; each with one before it, for the join.
    private func runs(of tip: ChainPlan.Tip, besides covered: [TimelineID: [ClosedRange<UInt64>]]) -> [ClosedRange<
        UInt64
    >] {
        var present: [(number: UInt64, isNew: Bool)] = []
        for leg in tip.legs {
            let known = covered[leg.timeline] ?? []
            present += plan.files(leg.timeline, leg.numbers).map { number, _ in
                (number, !known.contains { $0.contains(number) })
            }
        }
        var runs: [ClosedRange<UInt64>] = []
        for (index, item) in present.enumerated() where item.isNew {
            if let last = runs.last, last.upperBound &+ 1 == item.number {
                runs[runs.count - 1] = last.lowerBound...item.number
            } else {
                let before = index > 0 && present[index - 1].number &+ 1 == item.number
                runs.append((before ? item.number - 1 : item.number)...item.number)
            }
        }
        return runs
    }

    private func read(
        _ run: ClosedRange<UInt64>,
        along tip: ChainPlan.Tip,
        _ progress: (UInt64) -> Void,
        _ result: inout Result
    ) throws {
        var state = SurveyState()
        var lastCommit: PostgresTime?
        let survey = WALSurvey(
            directory,
            along: tip.path,
            expectation: .init(systemIdentifier: plan.facts.systemIdentifier, major: major)
        )
        try survey.run(run, from: &state) { segment in
            let timeline = segment.name.timeline
            guard let number = segment.name.number(size: size) else { return .proceed }
            let bytes = segment.stored?.bytes ?? 0
            result.reading.segments += 1
            result.reading.bytes &+= segment.stored?.form.isComplete == true ? size.bytes : bytes
            progress(bytes)
            if !isSound(segment, isTail: number == run.upperBound) {
                result.suspects[timeline, default: []].append(number)
                result.commitsBefore[timeline, default: [:]][number] = lastCommit
            }
            note(segment, number, timeline, &result.reading)
            lastCommit = segment.summary?.lastCommit?.time ?? lastCommit
            return .proceed
        }
    }

    /// Of a partial segment only the last one may end anywhere.
    private func isSound(_ segment: SurveyedSegment, isTail: Bool) -> Bool {
        switch segment.outcome {
        case .valid: true
        case .partial: isTail
        case .missing, .wrongSize, .damaged, .unreadable: false
        }
    }

    private func note(
        _ segment: SurveyedSegment,
        _ number: UInt64,
        _ timeline: TimelineID,
        _ reading: inout ChainReading
    ) {
        guard let summary = segment.summary else { return }
        let end = segment.openRecord == nil ? summary.end : min(summary.end, segment.openRecord ?? summary.end)
        reading.ends[timeline] = max(
            summary.firstRecord == nil ? reading.ends[timeline] ?? .invalid : end,
            reading.ends[timeline] ?? .invalid
        )
        if let commit = summary.lastCommit {
            reading.lastCommits[timeline] = commit.time
            if reading.firstCommits[timeline] == nil {
                reading.firstCommits[timeline] = summary.earliestTime ?? commit.time
            }
        }
    }
}
