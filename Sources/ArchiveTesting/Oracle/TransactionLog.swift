import Foundation

/// Commits and aborts in the order of the upstream's WAL, as pg_waldump tells them: the truth that targets are held to.
package struct TransactionLog: Sendable {
    package struct Entry: Sendable, Hashable {
        package enum Kind: Sendable { case commit, abort, prepare }
        package let kind: Kind
        /// The record's first byte.
        package let start: UInt64
        /// The transaction that it ends; for COMMIT PREPARED the prepared one.
        package let transactionID: UInt32
        /// Microseconds since 1970; nil for PREPARE.
        package let unixMicroseconds: Int64?
    }

    package struct RestorePoint: Sendable, Hashable {
        package let name: String
        /// The record's first byte.
        package let start: UInt64
    }

    package let entries: [Entry]
    package let restorePoints: [RestorePoint]
    /// Where the second timeline branched off, at the earliest: its first segment's start.
    package let fork: UInt64?

    /// Reads every complete segment that the upstream has archived; a later timeline's stands for its parent's.
    package init(of upstream: TestPostgres) throws {
        let segments = try FileManager.default.contentsOfDirectory(atPath: upstream.copies).filter { $0.count == 24 }
            .sorted()
        var entries: [Entry] = []
        var points: [RestorePoint] = []
        var fork: UInt64?
        for timeline in Set(segments.map { $0.prefix(8) }).sorted() {
            let own = segments.filter { $0.hasPrefix(timeline) }
            guard let first = own.first, let last = own.last else { continue }
            let begin = Self.start(of: first, bytes: UInt64(upstream.options.segmentMegabytes) << 20)
            if !entries.isEmpty { fork = fork ?? begin }
            let dump = try TestCommand(
                "\(upstream.bin)/pg_waldump",
                ["-r", "Transaction", "-r", "XLOG", "-p", upstream.copies, "-t", "\(Int(timeline, radix: 16) ?? 1)"]
                    + [first, last]
            ).run(deadline: 120)
            entries = entries.filter { $0.start < begin } + dump.lines.compactMap(Self.entry)
            points = points.filter { $0.start < begin } + dump.lines.compactMap(Self.restorePoint)
        }
        self.entries = entries
        self.restorePoints = points
        self.fork = fork
        guard !entries.isEmpty else { throw TestFailure("pg_waldump found no transaction in \(segments)") }
    }

    private static func start(of segment: String, bytes: UInt64) -> UInt64 {
        let high = UInt64(segment.dropFirst(8).prefix(8), radix: 16) ?? 0
        return high << 32 | (UInt64(segment.suffix(8), radix: 16) ?? 0) * bytes
    }

    /// `rmgr: XLOG … lsn: 0/01528E60, prev 0/01528E28, desc: RESTORE_POINT before v2`.
    static func restorePoint(_ line: String) -> RestorePoint? {
        guard let text = between(line, "lsn: ", ","), let start = position(text),
            let name = line.range(of: "desc: RESTORE_POINT ").map({ String(line[$0.upperBound...]) })
        else { return nil }
        return RestorePoint(name: name, start: start)
    }

    /// Reads lines such as
    /// `rmgr: Transaction len (rec/tot): 34/ 34, tx: 735, lsn: 0/01528E60, prev 0/01528E28, desc: COMMIT 2026-11-21 …`.
    static func entry(_ line: String) -> Entry? {
        guard let lsnText = between(line, "lsn: ", ","), let start = position(lsnText),
            let xid = between(line, "tx: ", ",").flatMap({ UInt32($0.trimmingCharacters(in: .whitespaces)) }),
            let description = line.range(of: "desc: ").map({ String(line[$0.upperBound...]) })
        else { return nil }
        let word = description.prefix { $0 != " " }
        switch word {
        case "COMMIT", "ABORT":
            let moment = description.dropFirst(word.count + 1).prefix { $0 != ";" }
            let kind: Entry.Kind = word == "COMMIT" ? .commit : .abort
            return Entry(kind: kind, start: start, transactionID: xid, unixMicroseconds: time(String(moment)))
        case "COMMIT_PREPARED", "ABORT_PREPARED":
            let rest = description.dropFirst(word.count + 1)
            let prepared = rest.prefix { $0 != ":" }
            let moment = rest.dropFirst(prepared.count + 2).prefix { $0 != ";" }
            let kind: Entry.Kind = word == "COMMIT_PREPARED" ? .commit : .abort
            return Entry(
                kind: kind,
                start: start,
                transactionID: UInt32(prepared) ?? xid,
                unixMicroseconds: time(String(moment))
            )
        case "PREPARE": return Entry(kind: .prepare, start: start, transactionID: xid, unixMicroseconds: nil)
        default: return nil
        }
    }

    /// Transactions whose effects are seen when recovery ends before the record at `bound`.
    package func committed(before bound: UInt64) -> Set<UInt32> {
        Set(entries.filter { $0.kind == .commit && $0.start < bound }.map(\.transactionID))
    }

    /// PostgreSQL's rule: recovery to a time ends before the first commit or abort with a later time.
    ///
    /// Recovery starts at `beginning`; records before it are not looked at.
    package func bound(ofTime unixMicroseconds: Int64, beginning: UInt64 = 0) -> UInt64 {
        entries.first { entry in
            entry.start >= beginning && entry.unixMicroseconds.map { $0 > unixMicroseconds } ?? false
        }?.start ?? UInt64.max
    }

    package static func position(_ text: String) -> UInt64? {
        let parts = text.split(separator: "/")
        guard parts.count == 2, let high = UInt64(parts[0], radix: 16), let low = UInt64(parts[1], radix: 16) else {
            return nil
        }
        return high << 32 | low
    }

    package static func text(_ position: UInt64) -> String {
        String(position >> 32, radix: 16, uppercase: true) + "/"
            + String(position & 0xFFFF_FFFF, radix: 16, uppercase: true)
    }

    private static func between(_ line: String, _ before: String, _ after: String) -> String? {
        guard let start = line.range(of: before),
            let end = line.range(of: after, range: start.upperBound..<line.endIndex)
        else { return nil }
        return String(line[start.upperBound..<end.lowerBound])
    }

    /// `2026-11-21 09:12:33.123456 UTC`.
    private static func time(_ text: String) -> Int64? {
        let parts = text.split { " -:.".contains($0) }.compactMap { Int($0) }
        guard parts.count == 7, text.trimmingCharacters(in: .whitespaces).hasSuffix("UTC") else { return nil }
        var broken = tm()
        broken.tm_year = Int32(parts[0] - 1900)
        broken.tm_mon = Int32(parts[1] - 1)
        broken.tm_mday = Int32(parts[2])
        broken.tm_hour = Int32(parts[3])
        broken.tm_min = Int32(parts[4])
        broken.tm_sec = Int32(parts[5])
        return Int64(timegm(&broken)) * 1_000_000 + Int64(parts[6])
    }
}
