import Foundation

/// A table whose rows know their transaction, written by many sessions at once; says exactly which rows
/// a clone must show for a target.
package struct Oracle: Sendable {
    package struct Target: Sendable, Hashable, CustomStringConvertible {
        /// What is given to `clone create`, such as `--at` and a time.
        package let arguments: [String]
        /// Recovery must end before the record that begins here.
        package let bound: UInt64

        package init(arguments: [String], bound: UInt64) {
            self.arguments = arguments
            self.bound = bound
        }

        package var description: String { arguments.joined(separator: " ") }
    }

    package let upstream: TestPostgres

    /// Makes the table.
    package init(_ upstream: TestPostgres) throws {
        self.upstream = upstream
        try upstream.sql(
            """
            create table oracle (
                id bigint generated always as identity primary key,
                xid bigint not null default pg_current_xact_id()::text::bigint,
                written timestamptz not null default clock_timestamp(),
                place pg_lsn not null default pg_current_wal_insert_lsn(),
                note text
            )
            """
        )
    }

    /// Single rows, several in one transaction, subtransactions rolled back and aborted transactions.
    private static let script = """
        \\set kind random(1, 10)
        begin;
        insert into oracle (note) values ('first');
        \\if :kind = 1
        insert into oracle (note) select 'many' from generate_series(1, 5);
        savepoint a;
        insert into oracle (note) values ('never');
        rollback to savepoint a;
        insert into oracle (note) values ('after a savepoint');
        commit;
        \\elif :kind = 2
        rollback;
        \\else
        commit;
        \\endif
        """

    /// Starts writing in the background.
    package func startWriting(seconds: Int, clients: Int = 4, rate: Int = 200) throws -> TestProcess {
        try upstream.startPgbench(seconds: seconds, clients: clients, rate: rate, script: Self.script)
    }

    /// Writes one row, and returns its id and the moment right after its commit, as the upstream's clock has it.
    @discardableResult
    package func writeRow(_ note: String) throws -> (id: Int, after: String) {
        let id = try upstream.sql("insert into oracle (note) values ('\(note)') returning id")
        let after = try upstream.sql("select to_char(clock_timestamp(), 'YYYY-MM-DD HH24:MI:SS.US+00')")
        guard let number = Int(id) else { throw TestFailure("no id: \(id)") }
        return (number, after)
    }

    /// The truth: completes the segment and reads all of the upstream's WAL and rows.
    package func truth() throws -> OracleTruth {
        try upstream.switchAndArchive()
        var rows: [Int: UInt32] = [:]
        for line in try upstream.sql("select id, xid from oracle").split(separator: "\n") {
            let fields = line.split(separator: "|").compactMap { Int($0) }
            guard fields.count == 2 else { throw TestFailure("unexpected row \(line)") }
            rows[fields[0]] = UInt32(truncatingIfNeeded: fields[1])
        }
        return OracleTruth(log: try TransactionLog(of: upstream), rows: rows)
    }

    /// The digest that `OracleTruth.digest` predicts, for a clone to be asked.
    package static let digestQuery =
        "select count(*) || ' ' || coalesce(sum(id), 0) || ' ' || coalesce(sum(id * id), 0) from oracle"
}

/// What the upstream's WAL says happened, at the moment of asking.
package struct OracleTruth: Sendable {
    package let log: TransactionLog
    /// The transaction of each row.
    package let rows: [Int: UInt32]

    package func visible(before bound: UInt64) -> Set<Int> {
        let committed = log.committed(before: bound)
        return Set(rows.filter { committed.contains($0.value) }.keys)
    }

    /// Count, sum and sum of squares of the ids: one differing row changes it.
    package func digest(before bound: UInt64) -> String {
        let ids = visible(before: bound)
        return "\(ids.count) \(ids.reduce(0, +)) \(ids.reduce(0) { $0 + $1 * $1 })"
    }

    /// Random targets from a position on: about each of some transactions all kinds (times on, just before and just
    /// after its end, positions at and inside of its record, before it, with it and without it, on both timelines where
    /// it is on both), and restore points.
    package func targets(_ count: Int, from begin: UInt64, seed: UInt64) -> [Oracle.Target] {
        let candidates = log.entries.filter { $0.start >= begin && $0.unixMicroseconds != nil }
        let points = log.restorePoints.filter { $0.start >= begin }
        guard candidates.count > 10 else { return [] }
        var random = SeededGenerator(seed: seed)
        var targets: [Oracle.Target] = []
        while targets.count < count {
            guard let entry = candidates.randomElement(using: &random), let time = entry.unixMicroseconds else { break }
            targets += about(entry, time, beginning: begin)
            guard let point = points.randomElement(using: &random) else { continue }
            targets.append(Oracle.Target(arguments: ["--restore-point", point.name], bound: point.start + 1))
        }
        return Array(targets.prefix(count))
    }

    private func about(_ entry: TransactionLog.Entry, _ time: Int64, beginning: UInt64) -> [Oracle.Target] {
        let (xid, before) = ("\(entry.transactionID)", TransactionLog.text(entry.start))
        var targets = [
            timeTarget(time, beginning: beginning), timeTarget(time - 1, beginning: beginning),
            timeTarget(time + 1, beginning: beginning), timeTarget(time, beginning: beginning, inclusive: false),
            position(entry.start, ["--exclusive"], bound: entry.start),
            position(entry.start + 8, ["--exclusive"], bound: entry.start + 1),
            position(entry.start, [], bound: entry.start + 1),
            Oracle.Target(arguments: ["--xid", xid], bound: entry.start + 1),
            Oracle.Target(arguments: ["--xid", xid, "--exclusive"], bound: entry.start),
            Oracle.Target(arguments: ["--before", before], bound: entry.start),
        ]
        if let fork = log.fork {
            let timeline = entry.start < fork ? "1" : "2"
            targets.append(Oracle.Target(arguments: ["--xid", xid, "--timeline", timeline], bound: entry.start + 1))
            targets.append(Oracle.Target(arguments: ["--before", before, "--timeline", timeline], bound: entry.start))
        }
        return targets
    }

    private func position(_ lsn: UInt64, _ more: [String], bound: UInt64) -> Oracle.Target {
        Oracle.Target(arguments: ["--lsn", TransactionLog.text(lsn)] + more, bound: bound)
    }

    package func timeTarget(
        _ unixMicroseconds: Int64,
        beginning: UInt64 = 0,
        inclusive: Bool = true
    ) -> Oracle.Target {
        // Exclusive is up to the last microsecond before.
        let last = inclusive ? unixMicroseconds : unixMicroseconds - 1
        return Oracle.Target(
            arguments: ["--at", Self.timeText(unixMicroseconds)] + (inclusive ? [] : ["--exclusive"]),
            bound: log.bound(ofTime: last, beginning: beginning)
        )
    }

    /// `2026-11-21 09:12:33.123456 UTC`, for `date --date`.
    package static func timeText(_ unixMicroseconds: Int64) -> String {
        var seconds = time_t(unixMicroseconds / 1_000_000)
        var broken = tm()
        gmtime_r(&seconds, &broken)
        var text = [CChar](repeating: 0, count: 32)
        strftime(&text, text.count, "%Y-%m-%d %H:%M:%S", &broken)
        let whole = String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        let micro = String(unixMicroseconds % 1_000_000)
        return "\(whole).\(String(repeating: "0", count: 6 - micro.count))\(micro) UTC"
    }
}
