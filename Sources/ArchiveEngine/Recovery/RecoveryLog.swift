import ArchiveModel
import Glibc
import Platform
import WALFormat

/// A clone's `recovery.log`: for each recovery what was asked for and planned, what was replayed, and where it stopped.
///
/// It is for people; nothing is decided by it, and a recovery does not fail for it.
struct RecoveryLog {
    let path: String
    let record: CloneRecord

    func begins() {
        let last = record.lastTransactionTime.map { ", last commit of \(Instant.local($0))" } ?? ""
        write([
            "asked for \(record.requested)" + (record.targetTime.map { " (\(Instant.local($0)))" } ?? ""),
            "planned: from snapshot '\(record.snapshot)', redo \(record.redo), along timelines \(record.path), "
                + "to \(record.stop)\(last), \(record.stop.bytes(since: record.redo)) bytes of WAL",
        ])
    }

    /// - Parameter seconds: with start and promotion; nil when another command had seen it.
    func ended(timeline: TimelineID, seconds: Double?) {
        let time = seconds.map { " in \(Int($0 * 1000)) ms, with start and promotion" } ?? ""
        write([
            "replayed from \(record.redo) to \(record.stop): \(record.stop.bytes(since: record.redo)) bytes\(time)",
            "stopped at \(record.stop), as planned; it goes on as timeline \(timeline)",
        ])
    }

    func failed(_ error: any Error) {
        write(["not finished, or not as planned: \(error)"])
    }

    private func write(_ lines: [String]) {
        let now = Instant.local(PostgresTime(unixMicroseconds: SystemClock.now()))
        let text = lines.map { "\(now)  \($0)\n" }.joined()
        guard let file = try? Descriptor.open(path, O_WRONLY | O_CREAT | O_APPEND, mode: 0o600) else { return }
        try? file.writeAll(Array(text.utf8))
    }
}
