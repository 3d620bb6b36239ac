import ArchiveModel
import Glibc
import Platform
import WALFormat

/// The `recovery.log` of a clone or a restored cluster: for each recovery what was asked for and planned, what was
/// replayed, and where it stopped.
///
/// It is for people; nothing is decided by it, and a recovery does not fail for it.
struct RecoveryLog {
    private let path: String
    private let asked: String
    private let planned: String
    private let redo: LSN
    private let stop: LSN

    init(path: String, record: CloneRecord) {
        self.init(
            path: path,
            asked: (record.requested, record.targetTime),
            snapshot: record.snapshot,
            way: (record.redo, record.path, record.stop),
            lastCommit: record.lastTransactionTime
        )
    }

    init(path: String, plan: RestorePlan, requested: String) {
        self.init(
            path: path,
            asked: (requested, plan.targetTime),
            snapshot: plan.snapshot,
            way: (plan.redo, plan.path, plan.stop),
            lastCommit: plan.lastTransactionTime
        )
    }

    private init(
        path: String,
        asked: (text: String, time: PostgresTime?),
        snapshot: String,
        way: (redo: LSN, path: TimelinePath, stop: LSN),
        lastCommit: PostgresTime?
    ) {
        self.path = path
        self.asked = "asked for \(asked.text)" + (asked.time.map { " (\(Instant.local($0)))" } ?? "")
        let last = lastCommit.map { ", last commit of \(Instant.local($0))" } ?? ""
        planned =
            "planned: from snapshot '\(snapshot)', redo \(way.redo), along timelines \(way.path), "
            + "to \(way.stop)\(last), \(way.stop.bytes(since: way.redo)) bytes of WAL"
        redo = way.redo
        stop = way.stop
    }

    /// Where a recovery has ended, and between which transactions that is.
    static func ending(_ record: CloneRecord) -> String {
        func words(_ what: String, _ time: PostgresTime?, _ transaction: UInt32?) -> String {
            guard let time else { return "" }
            let number = transaction.map { "transaction \($0)" } ?? "what was committed"
            return "\(what) \(number), \(Instant.local(time))"
        }
        return "stopped at \(record.stop)"
            + words("; last in it:", record.lastTransactionTime, record.lastTransactionID)
            + words("; first left out:", record.firstLeftOut, record.firstLeftOutTransactionID)
    }

    func begins() { write([asked, planned]) }

    /// - Parameters:
    ///   - timeline: its own; nil where it was not promoted.
    ///   - seconds: with start and promotion; nil when another command had seen it.
    func ended(timeline: TimelineID?, seconds: Double?) {
        let parts = timeline == nil ? "start" : "start and promotion"
        let time = seconds.map { " in \(Int($0 * 1000)) ms, with \(parts)" } ?? ""
        write([
            "replayed from \(redo) to \(stop): \(stop.bytes(since: redo)) bytes\(time)",
            "stopped at \(stop), as planned; "
                + (timeline.map { "it goes on as timeline \($0)" } ?? "it stays there, and takes no writes"),
        ])
    }

    /// Nothing was replayed.
    func tookImage(_ image: ReadyImage) {
        write([
            asked,
            "a copy of the snapshot's image, which was recovered to \(stop) at \(Instant.local(image.madeAt)) and "
                + "goes on as timeline \(image.timeline)",
        ])
    }

    func failed(_ error: any Error) {
        write(["not finished, or not as planned: \(error)"])
    }

    /// What is noted in one file is in another, too.
    static func append(_ path: String, to other: String) {
        guard let text = try? FileTree.read(path), !text.isEmpty,
            let file = try? Descriptor.open(other, O_WRONLY | O_CREAT | O_APPEND, mode: 0o600)
        else { return }
        try? file.writeAll(text)
    }

    private func write(_ lines: [String]) {
        let now = Instant.local(PostgresTime(unixMicroseconds: SystemClock.now()))
        let text = lines.map { "\(now)  \($0)\n" }.joined()
        guard let file = try? Descriptor.open(path, O_WRONLY | O_CREAT | O_APPEND, mode: 0o600) else { return }
        try? file.writeAll(Array(text.utf8))
    }
}
