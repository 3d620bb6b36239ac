import ArchiveModel
import Platform
import WALFormat

/// Brings the index up to date when a user asks for it.
package struct IndexUpkeep: Sendable {
    let container: Container
    let progress: Progress

    package init(_ container: Container, progress: Progress = .silent) {
        self.container = container
        self.progress = progress
    }

    package struct Result: Codable, Sendable {
        package var outcome: Indexing.Outcome
        package var extent: IndexDatabase.Extent
        package var bytes: UInt64
        package var seconds: Double
    }

    /// Others that want the index get it in between.
    private static let longestHoldSeconds = 5.0

    /// - Parameter rebuild: read everything again; the names that are known stay.
    package func run(rebuild: Bool, say: (String) -> Void) throws -> Result {
        let began = SystemClock.monotonicSeconds()
        do {
            var result = try round(rebuild: rebuild, of: nil, say)
            while !result.outcome.isComplete {
                SystemClock.sleep(seconds: 0.05)
                let next = try round(rebuild: false, of: result.total, say)
                result.outcome.segmentsRead += next.outcome.segmentsRead
                result.outcome.segmentsRemoved += next.outcome.segmentsRemoved
                result.outcome.isComplete = next.outcome.isComplete
                result.extent = next.extent
            }
            return Result(
                outcome: result.outcome,
                extent: result.extent,
                bytes: IndexFile(container).bytes,
                seconds: SystemClock.monotonicSeconds() - began
            )
        } catch let error as SQLiteError {
            throw ArchiveError(
                .failed,
                "the index cannot be written: \(error)",
                hint: "it may be deleted: \(container.paths.index)"
            )
        }
    }

    private struct Round {
        var outcome: Indexing.Outcome
        var extent: IndexDatabase.Extent
        var total: UInt64
    }

    /// - Parameter total: how many segments were to be read in the first round.
    private func round(rebuild: Bool, of total: UInt64?, _ say: (String) -> Void) throws -> Round {
        try IndexFile(container).use(for: "wal_archive index", waitSeconds: 600, say: say) { index in
            if rebuild { try index.forgetSegments() }
            let present = try PresentSegments(container, index)
            let plan = Indexing(container).plan(present)
            let total = total ?? plan.segmentsToRead
            if total == plan.segmentsToRead { progress.step("reading \(total) segments") }
            let bytes = container.segmentSize.bytes
            let counter = ByteCounter()
            _ = counter.add((total - min(total, plan.segmentsToRead)) &* bytes)
            let began = SystemClock.monotonicSeconds()
            let indexing = Indexing(
                container,
                advanced: { progress.report(.bytes(done: counter.add($0 &* bytes), total: total &* bytes)) },
                mayGoOn: { SystemClock.monotonicSeconds() - began < Self.longestHoldSeconds }
            )
            let outcome = try indexing.run(index, plan, present)
            try IndexStatus.write(try index.end(size: container.segmentSize), container)
            return Round(outcome: outcome, extent: try index.extent(), total: total)
        }
    }
}

extension IndexDatabase {
    /// All but the names.
    func forgetSegments() throws {
        try database.transaction {
            try database.execute(
                "DELETE FROM segments; DELETE FROM events; DELETE FROM event_relations; DELETE FROM surveys"
            )
        }
    }
}
