import ArchiveEngine
import ArchiveModel
import Platform
import WALFormat

/// The status of a container and its waterline, as text.
enum StatusText {
    static func parts(_ parts: [StatusReport.PartReport], _ palette: Palette) -> String {
        var table = TableText(
            [("PART", .left), ("STATE", .left), ("PROCESS", .right), ("REASON", .left)],
            whenEmpty: "no parts"
        )
        for part in parts {
            let tone: TableText.Cell.Tone = !part.isRunning ? .bad : part.reason == nil ? .good : .bad
            table.add([
                .init(part.name),
                .init(part.state, tone),
                .init(part.processID.map { "\($0)" } ?? "-"),
                .init(part.reason ?? "", .bad),
            ])
        }
        return table.text(palette)
    }

    static func waterline(_ stations: [Waterline.Station], _ palette: Palette, now: PostgresTime = .now) -> String {
        var table = TableText(
            [
                ("WAL", .left), ("LSN", .left), ("TL", .right), ("BEHIND", .right), ("TIME", .left), ("AGE", .right),
                ("REASON", .left),
            ],
            whenEmpty: "nothing is known yet"
        )
        for station in stations {
            table.add([
                .init(station.name),
                .init(station.position.map { "\($0)" } ?? "-"),
                .init(station.timeline.map { "\($0)" } ?? "-"),
                .init(station.lagBytes.map(HumanText.bytes) ?? "-"),
                .init(station.time.map(HumanText.instantSeconds) ?? "-"),
                .init(station.time.map { HumanText.age(of: $0, now: now) } ?? "-"),
                .init(station.reason ?? "", .warning),
            ])
        }
        return "\n" + table.text(palette)
    }

    private static func verified(_ last: LastVerification, _ palette: Palette, now: PostgresTime) -> String {
        let when = "WAL verified \(HumanText.age(of: last.at, now: now)) ago\(last.deep ? "" : ", not read")"
        guard last.findings > 0 else { return "\(when): no findings" }
        let first = last.first.map { ": \($0)" } ?? ""
        return palette.red("\(when): \(HumanText.count(last.findings, "finding"))\(first)")
    }

    /// What the upstream has to be told, as its own line: it is copied.
    static func archiveCommand(_ line: String?) -> String {
        line.map { "\non the upstream, with archive_mode = on:\n\($0)\n" } ?? ""
    }

    static func whole(_ report: StatusReport, _ palette: Palette, now: PostgresTime = .now) -> String {
        palette.bold("container '\(report.container)'") + "  \(report.root)\n\n"
            + parts(report.parts, palette)
            + waterline(report.waterline.stations, palette, now: now)
            + "\n\(HumanText.count(report.snapshots, "snapshot")), \(HumanText.count(report.clones, "clone"))"
            + (report.clones > 0 ? " (\(report.clonesRunning) running)" : "")
            + (report.looks > 0 ? ", \(HumanText.count(report.looks, "throwaway server"))" : "") + "\n"
            + report.verified.map { verified($0, palette, now: now) + "\n" }.joined()
            + archiveCommand(report.archiveCommand)
            + report.waterline.violations.map { palette.red("inconsistent: \($0)") + "\n" }.joined()
    }
}
