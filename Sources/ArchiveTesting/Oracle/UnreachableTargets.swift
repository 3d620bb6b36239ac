/// Targets that an archive cannot reach: before its first snapshot, after its end, and names of nothing.
package struct UnreachableTargets: Sendable {
    private let log: TransactionLog
    private let first: UInt64
    /// A transaction that ended before the first snapshot.
    private let earlyTransaction: String

    /// - Parameter first: the first position at which a clone is consistent.
    package init(_ log: TransactionLog, first: UInt64, earlyTransaction: String) {
        self.log = log
        self.first = first
        self.earlyTransaction = earlyTransaction
    }

    /// What is given to `clone create`.
    package func targets(_ count: Int, seed: UInt64) -> [[String]] {
        var random = SeededGenerator(seed: seed ^ 0x5EED)
        let end = log.entries.last?.start ?? 0
        let lastTime = log.entries.compactMap(\.unixMicroseconds).max() ?? 0
        let firstTime = log.entries.first { $0.start >= first }?.unixMicroseconds ?? 0
        let highest = log.entries.map(\.transactionID).max() ?? 0
        return (0..<count).map { index in
            let some = UInt64.random(in: 1...1_000_000, using: &random)
            switch index % 8 {
            // Minutes before the test began; within the last few seconds the first snapshot may already serve.
            case 0: return ["--at", OracleTruth.timeText(firstTime - 600_000_000 - Int64(some))]
            case 1: return ["--at", OracleTruth.timeText(lastTime + 3_600_000_000 + Int64(some)), "--exclusive"]
            // Far enough: the rest of a switched segment belongs to the record that follows.
            case 2: return ["--lsn", TransactionLog.text(1 + some % (first / 2))]
            case 3: return ["--lsn", TransactionLog.text(end + (64 << 20) + some)]
            case 4: return ["--xid", "\(UInt64(highest) + 100_000 + some)"]
            case 5: return ["--xid", earlyTransaction]
            case 6: return ["--restore-point", "nothing \(some)"]
            default: return ["--before", TransactionLog.text(end + (64 << 20) + some)]
            }
        }
    }

    /// Targets between two positions, for where a segment before them is missing or damaged.
    ///
    /// A time is among them only where no commit before the first position is later.
    package func behind(_ from: UInt64, before limit: UInt64, _ count: Int, seed: UInt64) -> [[String]] {
        var random = SeededGenerator(seed: seed ^ 0x6A9)
        let among = log.entries.filter { $0.start >= from && $0.start < limit && $0.unixMicroseconds != nil }
        let latest = log.entries.filter { $0.start < from }.compactMap(\.unixMicroseconds).max() ?? 0
        // The last ones may be the first moment of the next snapshot.
        let candidates = among.prefix(among.count / 2).filter { $0.unixMicroseconds ?? 0 > latest }
        guard candidates.count > 5 else { return [] }
        return (0..<count).compactMap { index in
            guard let entry = candidates.randomElement(using: &random), let time = entry.unixMicroseconds else {
                return nil
            }
            let position = TransactionLog.text(entry.start)
            switch index % 5 {
            case 0: return ["--at", OracleTruth.timeText(time)]
            case 1: return ["--lsn", position]
            case 2: return ["--before", position]
            case 3: return ["--xid", "\(entry.transactionID)"]
            default: return ["--lsn", position, "--exclusive", "--timeline", "1"]
            }
        }
    }
}
