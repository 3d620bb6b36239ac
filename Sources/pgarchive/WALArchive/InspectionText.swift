import ArchiveEngine
import WALFormat

/// Lines of `wal_archive inspect`: columns of fixed widths, since the list is never known as a whole.
enum InspectionText {
    static let recordHeader =
        column("LSN", 17) + column("PREV", 17) + column("RMGR", 18) + right("LEN", 8) + right("TOTAL", 8)
        + right("TX", 11) + "  KIND"

    static func line(_ record: Inspection.Record, _ palette: Palette) -> String {
        var text =
            column("\(record.start)", 17) + column("\(record.previous)", 17) + column(record.resourceManager, 18)
            + right("\(record.length)", 8) + right("\(record.totalLength)", 8)
            + right("\(record.transactionID)", 11) + "  " + record.kind
        for block in record.blocks {
            let fork = block.fork == 0 ? "" : " fork \(block.fork)"
            text += palette.dim("  \(block.relation)\(fork) block \(block.block)\(block.hasImage ? " image" : "")")
        }
        return text
    }

    static let endHeader =
        column("TIME", 34) + column("LSN", 17) + column("END", 17) + right("TX", 11) + "  " + column("", 18)
        + "DATABASE"

    static func line(_ end: Inspection.End, _ palette: Palette) -> String {
        let word = (end.isCommit ? "commit" : "abort") + (end.isPrepared ? " prepared" : "")
        let padded = column(word, 18)
        var text =
            column(HumanText.instant(end.time), 34) + column("\(end.start)", 17) + column("\(end.end)", 17)
            + right("\(end.transactionID)", 11) + "  " + (end.isCommit ? padded : palette.yellow(padded))
            + column(end.database.map { "\($0)" } ?? "-", 8)
        if end.subtransactions > 0 { text += "  " + HumanText.count(end.subtransactions, "subtransaction") }
        if end.removedFiles > 0 { text += "  " + HumanText.count(end.removedFiles, "file") + " removed" }
        while text.hasSuffix(" ") { text.removeLast() }
        return text
    }

    private static func column(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(1, width - text.count))
    }

    private static func right(_ text: String, _ width: Int) -> String {
        String(repeating: " ", count: max(1, width - text.count)) + text
    }
}

/// What `wal_archive inspect --stats` shows.
struct InspectionStatistics: Encodable {
    struct Manager: Encodable {
        let resourceManager: String
        let records: UInt64
        let bytes: UInt64
    }

    let segments: Int
    let records: UInt64
    let bytes: UInt64
    let firstRecord: LSN?
    let end: LSN?
    let commits: UInt64
    let aborts: UInt64
    let earliestTime: PostgresTime?
    let latestTime: PostgresTime?
    let resourceManagers: [Manager]

    init(_ statistics: Inspection.Statistics) {
        let total = statistics.records.total
        segments = statistics.segments
        records = total.records
        bytes = total.bytes
        firstRecord = statistics.summary?.firstRecord
        end = statistics.summary?.end
        commits = statistics.summary?.commits ?? 0
        aborts = statistics.summary?.aborts ?? 0
        earliestTime = statistics.summary?.earliestTime
        latestTime = statistics.summary?.latestTime
        resourceManagers = statistics.records.managers.map { number in
            let count = statistics.records[number]
            return Manager(
                resourceManager: ResourceManager.name(number),
                records: count.records,
                bytes: count.bytes
            )
        }
    }

    func text(_ palette: Palette) -> String {
        var table = TableText(
            [("RMGR", .left), ("RECORDS", .right), ("%", .right), ("BYTES", .right), ("%", .right)],
            whenEmpty: "no records"
        )
        for manager in resourceManagers {
            table.add([
                .init(manager.resourceManager), .init("\(manager.records)"), .init(share(manager.records, of: records)),
                .init("\(manager.bytes)"), .init(share(manager.bytes, of: bytes)),
            ])
        }
        if resourceManagers.count > 1 {
            table.add([.init("total"), .init("\(records)"), "", .init("\(bytes)"), ""])
        }
        var text = table.text(palette)
        if let firstRecord, let end {
            text += "\(HumanText.count(segments, "segment")): \(firstRecord) to \(end), "
            text += "\(commits) commits, \(aborts) aborts"
            if let earliestTime, let latestTime {
                text += ", \(HumanText.instant(earliestTime)) to \(HumanText.instant(latestTime))"
            }
            text += "\n"
        }
        return text
    }

    private func share(_ part: UInt64, of whole: UInt64) -> String {
        guard whole > 0 else { return "" }
        let hundredths = Int((Double(part) / Double(whole) * 10_000).rounded())
        let rest = hundredths % 100
        return "\(hundredths / 100).\(rest < 10 ? "0" : "")\(rest)"
    }
}
