import ArchiveModel
import Platform

/// The index's file, used by one process at a time.
package struct IndexFile: Sendable {
    let container: Container

    package init(_ container: Container) {
        self.container = container
    }

    private var path: String { container.paths.index }

    /// Gives the index to `body`.
    ///
    /// One that is damaged, or no index, is put away, and a new one takes its place.
    /// - Parameters:
    ///   - waitSeconds: how long another process's work on it is waited for.
    ///   - mayWait: asked again and again meanwhile.
    ///   - say: is told when one was put away.
    package func use<Result>(
        for work: String,
        waitSeconds: Double = 60,
        mayWait: () -> Bool = { true },
        say: (String) -> Void,
        _ body: (IndexDatabase) throws -> Result
    ) throws -> Result {
        try FileTree.makeDirectory(container.paths.run, mode: 0o700, parents: true)
        let lock = try lock(for: work, Deadline(seconds: waitSeconds), mayWait)
        defer { lock.release() }
        do {
            return try body(try IndexDatabase(path))
        } catch let error as SQLiteError where error.isDamage && error.path == path {
            let away = try putAway()
            say("the index could not be used and is built anew (\(error.message)); the old file is now \(away)")
            return try body(try IndexDatabase(path))
        }
    }

    private func lock(for work: String, _ deadline: Deadline, _ mayWait: () -> Bool) throws -> HeldLock {
        while true {
            do {
                return try HeldLock.acquire(container.paths.indexLock, wait: 0.2, description: work)
            } catch let conflict as LockConflict {
                guard !deadline.hasPassed, mayWait() else { throw conflict }
            }
        }
    }

    /// Gives the index as it is, at one moment, to one who only looks; nil where there is none.
    ///
    /// Nobody is waited for: who writes it does so in whole transactions.
    func look<Result>(_ body: (IndexDatabase) throws -> Result?) throws -> Result? {
        guard FileTree.exists(path) else { return nil }
        let index = try IndexDatabase(path)
        try index.database.execute("BEGIN")
        defer { try? index.database.execute("ROLLBACK") }
        return try body(index)
    }

    /// Only the last one is kept: it is of use to nobody but who wants to know what happened.
    private func putAway() throws -> String {
        let away = "\(path).damaged"
        try FileTree.removeFile(away)
        try DurableFile.rename(path, away)
        for suffix in ["-wal", "-shm"] { try FileTree.removeFile("\(path)\(suffix)") }
        return away
    }

    /// Its length, with what is not yet merged into it.
    package var bytes: UInt64 {
        ["", "-wal"].reduce(0) { sum, suffix in
            sum &+ UInt64(max(0, (try? FileTree.status("\(path)\(suffix)"))?.bytes ?? 0))
        }
    }
}
