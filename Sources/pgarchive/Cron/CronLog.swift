import ArchiveEngine
import ArchiveModel
import Glibc
import Platform
import WALFormat

/// The log of a cron job, a line per event with its time; on a terminal the lines are shown too.
struct CronLog {
    let path: String
    private let isShown: Bool

    init(_ container: Container, job: String, global: GlobalOptions) throws {
        path = container.paths.cronLog(job)
        isShown = !global.quiet && (Terminal.isTerminal(STDERR_FILENO) || global.verbose)
        try FileTree.makeDirectory(container.paths.log, mode: 0o700)
        LogRotation.rotate(path)
    }

    /// - Parameter isShown: false where it is shown in another way.
    func line(_ text: String, isShown isShownHere: Bool = true) throws {
        let now = PostgresTime(unixMicroseconds: SystemClock.now())
        do {
            let file = try Descriptor.open(path, O_WRONLY | O_CREAT | O_APPEND, mode: 0o600)
            try file.writeAll(Array("\(HumanText.instantSeconds(now)) \(text)\n".utf8))
        } catch {
            // Expiry is what frees a full disk: it must not fail for want of its own log line.
            guard error.isFull else { throw error }
        }
        if isShown, isShownHere { StandardError.write(text + "\n") }
    }

    /// Does a job; begin, end and errors are logged, and an error is thrown on.
    func job<Result>(_ what: String, _ work: () throws -> Result) throws -> Result {
        try line("\(what): begins")
        let begin = SystemClock.monotonicSeconds()
        do {
            let result = try work()
            try line("\(what): done in \(HumanText.elapsed(seconds: SystemClock.monotonicSeconds() - begin))")
            return result
        } catch {
            for text in Failure(error).text.split(separator: "\n") { try? line("\(what): \(text)") }
            throw error
        }
    }
}
