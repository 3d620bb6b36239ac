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
        return report(outcome, deep: deep, since: begin, progress)
    }

    /// What was found, also noted for `status`.
    func report(_ outcome: Outcome, deep: Bool, since begin: Double, _ progress: Progress) -> VerifyReport {
        let report = VerifyReport(
            outcome,
            deep: deep,
            seconds: SystemClock.monotonicSeconds() - begin,
            at: PostgresTime(unixMicroseconds: SystemClock.now())
        )
        if let container = gathering.container {
            LastVerification(report).store(container)
            if deep { tellIndex(container, outcome, progress) }
        }
        return report
    }

    private func tellIndex(_ container: Container, _ outcome: Outcome, _ progress: Progress) {
        do {
            try IndexFile(container).agree(with: outcome.breaks, in: outcome.plan.needed)
        } catch {
            progress.note("'window' and targets do not know of this result: the index could not be written: \(error)")
        }
    }

    func look(deep: Bool, _ progress: Progress) throws -> Outcome {
        do {
            return try find(deep: deep, progress)
        } catch let error as SystemError {
            throw ArchiveError(
                .verificationFailed,
                "the archive could not be verified: \(error)",
                hint: "see the permissions of '\(gathering.directory.path)', and the kernel's log"
            )
        }
    }

    private func find(deep: Bool, _ progress: Progress) throws -> Outcome {
        progress.step("looking at names, sizes and first pages")
        let plan = ChainPlan(try gathering.gather())
        var outcome = Outcome(plan: plan, names: plan.breaks, reading: ChainReading())
        if deep { outcome.reading = try read(plan, progress) }
        try confirm(&outcome)
        if !deep, !outcome.names.isEmpty { outcome.reading = try edges(of: outcome) }
        return outcome
    }

    /// All of it on all processors, and once more where something is wrong.
    private func read(_ plan: ChainPlan, _ progress: Progress) throws -> ChainReading {
        progress.step("checking records")
        let total = plan.neededBytes
        var done: UInt64 = 0
        let survey = ChainSurvey(directory: gathering.directory, plan: plan, major: gathering.major)
        let result = try survey.run { count in
            done &+= count
            progress.report(.bytes(done: done, total: max(total, done)))
        }
        var reading = result.reading
        var suspects = result.suspects.mapValues { $0.map { $0...$0 } }
        for place in plan.breaks where !place.kind.isOfHistory {
            suspects[place.timeline, default: []].append(place.numbers)
        }
        guard !suspects.isEmpty else { return reading }
        progress.step("looking closer")
        let closer = try walk(plan, beside: suspects, clipped: true)
        for (timeline, end) in closer.ends where end >= reading.ends[timeline] ?? .invalid {
            reading.ends[timeline] = end
            reading.lastCommits[timeline] = closer.lastCommits[timeline] ?? reading.lastCommits[timeline]
        }
        reading.interruptions = closer.interruptions.map { interruption in
            var interruption = interruption
            let place = interruption.place
            interruption.place.lastBefore =
                place.lastBefore ?? result.commitsBefore[place.timeline]?[place.numbers.lowerBound]
            return interruption
        }
        return reading
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
        var places: [TimelineID: [ClosedRange<UInt64>]] = [:]
        for place in outcome.names where !place.kind.isOfHistory {
            places[place.timeline, default: []].append(place.numbers)
        }
        var reading = try walk(outcome.plan, beside: places, clipped: false)
        for index in reading.interruptions.indices { reading.interruptions[index].isFault = false }
        reading.ends = [:]
        return reading
    }

    /// Two segments on each side say where records end and go on.
    private func walk(
        _ plan: ChainPlan,
        beside places: [TimelineID: [ClosedRange<UInt64>]],
        clipped: Bool
    ) throws -> ChainReading {
        var ranges: [TimelineID: [ClosedRange<UInt64>]] = [:]
        for (timeline, numbers) in places {
            let near = numbers.map { range in
                let upper = range.upperBound.addingReportingOverflow(2)
                return (max(range.lowerBound, 2) - 2)...(upper.overflow ? range.upperBound : upper.partialValue)
            }
            let needed = plan.needed[timeline] ?? []
            ranges[timeline] = ChainPlan.united(near).flatMap { range in
                clipped ? needed.filter { $0.overlaps(range) }.map { range.clamped(to: $0) } : [range]
            }
        }
        return try ChainWalk(gathering.directory, plan, major: gathering.major).run(ranges)
    }
}
