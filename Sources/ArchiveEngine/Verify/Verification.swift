import ArchiveModel
import Platform
import WALFormat
import WALStore

/// Whether an archive's WAL is all there, and right.
package struct Verification: Sendable {
    let gathering: ChainGathering

    package init(_ container: Container) {
        gathering = ChainGathering(container)
    }

    /// Of a directory without a container.
    package init(directory: String) throws {
        gathering = try ChainGathering(directory: directory)
    }

    /// What was looked at, and what of it is broken.
    struct Outcome {
        var plan: ChainPlan
        /// What names, lengths and first pages tell.
        var names: [ChainBreak]
        var reading: ChainReading

        var breaks: [ChainBreak] { reading.merged(with: names) }
        var findings: [Finding] { plan.findings(breaks, ends: reading.ends) }
    }

    /// - Parameter deep: reads all that is needed, instead of names, lengths and first pages.
    package func run(deep: Bool, progress: Progress = .silent) throws -> VerifyReport {
        let begin = SystemClock.monotonicSeconds()
        let outcome = try look(deep: deep, progress)
        let report = VerifyReport(
            outcome,
            deep: deep,
            seconds: SystemClock.monotonicSeconds() - begin,
            at: PostgresTime(unixMicroseconds: SystemClock.now())
        )
        if let container = gathering.container { LastVerification(report).store(container) }
        return report
    }

    func look(deep: Bool, _ progress: Progress) throws -> Outcome {
        progress.step(deep ? "reading names and first pages" : "looking at names, sizes and first pages")
        let plan = ChainPlan(try gathering.gather())
        var reading = ChainReading()
        if deep {
            progress.step("checking records")
            let total = plan.neededBytes
            var done: UInt64 = 0
            reading = try ChainWalk(gathering.directory, plan, major: gathering.major) { count in
                done &+= count
                progress.report(.bytes(done: done, total: max(total, done)))
            }.run()
        }
        var outcome = Outcome(plan: plan, names: plan.breaks, reading: reading)
        try confirm(&outcome)
        if !deep, !outcome.names.isEmpty { outcome.reading = try edges(of: outcome) }
        return outcome
    }

    /// Others complete, compress and expire segments meanwhile: only what is still so counts.
    private func confirm(_ outcome: inout Outcome) throws {
        for _ in 0..<2 where !outcome.breaks.isEmpty {
            let now = ChainPlan(try gathering.gather())
            let before = outcome.names
            outcome.names = now.breaks.filter { new in
                before.contains { $0.kind == new.kind && $0.overlaps(new) }
            }
            outcome.reading.interruptions.removeAll { old in
                !(now.needed[old.place.timeline]?.contains { $0.overlaps(old.place.numbers) } ?? false)
            }
            outcome.plan = now
        }
    }

    /// Reads only what is next to each break: where exactly records end and go on, and at which commits.
    private func edges(of outcome: Outcome) throws -> ChainReading {
        let size = outcome.plan.facts.segmentSize
        var ranges: [TimelineID: [ClosedRange<UInt64>]] = [:]
        for place in outcome.names where !place.kind.isOfHistory {
            let lower = max(place.numbers.lowerBound, 2) - 2
            let upper = place.numbers.upperBound.addingReportingOverflow(2)
            guard !upper.overflow, size.start(of: upper.partialValue) > size.start(of: lower) else { continue }
            ranges[place.timeline, default: []].append(lower...upper.partialValue)
        }
        let walk = ChainWalk(gathering.directory, outcome.plan, major: gathering.major)
        var reading = try walk.run(ranges.mapValues(ChainPlan.united))
        for index in reading.interruptions.indices { reading.interruptions[index].isFault = false }
        reading.ends = [:]
        return reading
    }
}
