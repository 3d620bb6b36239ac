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

    /// - Parameter rebuild: read everything again; the names that are known stay.
    package func run(rebuild: Bool, say: (String) -> Void) throws -> Result {
        let began = SystemClock.monotonicSeconds()
        let file = IndexFile(container)
        do {
            return try file.use(for: "wal_archive index", waitSeconds: 600, say: say) { index in
                if rebuild { try index.forgetSegments() }
                let plan = try Indexing(container).plan(index)
                progress.step("reading \(plan.segmentsToRead) segments")
                let total = plan.segmentsToRead &* container.segmentSize.bytes
                let counter = ByteCounter()
                let indexing = Indexing(container) { read in
                    progress.report(.bytes(done: counter.add(read &* container.segmentSize.bytes), total: total))
                }
                let outcome = try indexing.run(index, plan)
                try IndexStatus.write(try index.end(size: container.segmentSize), container)
                return Result(
                    outcome: outcome,
                    extent: try index.extent(),
                    bytes: file.bytes,
                    seconds: SystemClock.monotonicSeconds() - began
                )
            }
        } catch let error as SQLiteError {
            throw ArchiveError(
                .failed,
                "the index cannot be written: \(error)",
                hint: "it may be deleted: \(container.paths.index)"
            )
        }
    }
}

extension IndexDatabase {
    /// All but the names.
    func forgetSegments() throws {
        try database.transaction {
            try database.execute(
                "DELETE FROM segments; DELETE FROM events; DELETE FROM state WHERE key LIKE 'survey-%'"
            )
        }
    }
}
