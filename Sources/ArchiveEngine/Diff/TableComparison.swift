package import ArchiveModel

/// Compares the rows of a table on two servers, with little memory whatever its size.
package struct TableComparison {
    package let plan: ComparisonPlan
    private let left: ComparedDatabase
    private let right: ComparedDatabase
    private let wanted: Set<RowDifference.Kind>
    private let visit: (RowDifference) throws -> Void

    /// Values are read for so many rows at a time, and not many more bytes.
    private static let batch = 500
    private static let batchBytes = 4 << 20

    /// - Parameters:
    ///   - wanted: of which differences the values are read, and `visit` told; others are only counted.
    ///   - visit: is told of each difference, in the key's order where both servers have the same.
    package init(
        _ left: ComparedDatabase,
        _ right: ComparedDatabase,
        _ plan: ComparisonPlan,
        wanted: Set<RowDifference.Kind> = [],
        visit: @escaping (RowDifference) throws -> Void = { _ in }
    ) {
        self.plan = plan
        self.left = left
        self.right = right
        self.wanted = wanted
        self.visit = visit
    }

    /// The same for a table of one name on both servers; an error where one lacks it.
    package init(
        _ left: ComparedDatabase,
        _ right: ComparedDatabase,
        table: TableName,
        rightTable: TableName? = nil,
        wanted: Set<RowDifference.Kind> = [],
        visit: @escaping (RowDifference) throws -> Void = { _ in }
    ) throws {
        let names = (table, rightTable ?? table)
        guard let mine = try left.shape(of: names.0), let other = try right.shape(of: names.1) else {
            throw ArchiveError(.notFound, "there is no table '\(table)' on both sides")
        }
        self.init(left, right, ComparisonPlan(mine, other), wanted: wanted, visit: visit)
    }

    package func run() throws -> RowCounts {
        var counts = RowCounts()
        if plan.ranges == .ofKey {
            let step = max(ComparisonPlan.fewRows, plan.rows / 1000)
            let cuts =
                plan.rows > 4 * ComparisonPlan.fewRows ? try self.cuts(plan.left, ComparisonPlan.KeyRange(), step) : []
            try compare(ComparisonPlan.KeyRange(), cuts: cuts, &counts, isTop: true)
        } else {
            let (mine, others) = try sums(plan.sums(plan.left), plan.sums(plan.right), &counts, isTop: true)
            let pieces = Set(mine.keys).union(others.keys).filter { mine[$0] != others[$0] }.sorted()
            if !pieces.isEmpty {
                try compareRows(plan.rows(plan.left, pieces: pieces), plan.rows(plan.right, pieces: pieces), &counts)
            }
        }
        return counts
    }

    // MARK: - Ranges

    private struct Sum: Equatable {
        var rows: UInt64
        var hash: String
    }

    private func compare(
        _ range: ComparisonPlan.KeyRange,
        cuts: [[String]],
        _ counts: inout RowCounts,
        isTop: Bool = false
    ) throws {
        let (mine, others) = try sums(
            plan.sums(plan.left, range, cuts: cuts),
            plan.sums(plan.right, range, cuts: cuts),
            &counts,
            isTop: isTop
        )
        for piece in Set(mine.keys).union(others.keys).filter({ mine[$0] != others[$0] }).sorted() {
            guard piece >= 0, piece <= cuts.count else { continue }
            let part = ComparisonPlan.KeyRange(
                from: piece == 0 ? range.from : cuts[piece - 1],
                to: piece == cuts.count ? range.to : cuts[piece]
            )
            try compare(part, mine[piece]?.rows ?? 0, others[piece]?.rows ?? 0, &counts)
        }
    }

    /// A range that is not the same on both sides.
    private func compare(
        _ range: ComparisonPlan.KeyRange,
        _ mine: UInt64,
        _ others: UInt64,
        _ counts: inout RowCounts
    ) throws {
        let most = max(mine, others)
        if most > 4 * ComparisonPlan.fewRows {
            let step = max(ComparisonPlan.fewRows, most / 1000)
            let cuts = try cuts(mine >= others ? plan.left : plan.right, range, step)
            if !cuts.isEmpty { return try compare(range, cuts: cuts, &counts) }
        }
        try compareRows(plan.rows(plan.left, range), plan.rows(plan.right, range), &counts)
    }

    private func cuts(
        _ side: ComparisonPlan.Side,
        _ range: ComparisonPlan.KeyRange,
        _ step: UInt64
    ) throws -> [[String]] {
        let server = side == plan.left ? left : right
        return try server.query(plan.cuts(side, range, every: step)).map { row in row.map { $0 ?? "" } }
    }

    private func sums(
        _ mine: String,
        _ others: String,
        _ counts: inout RowCounts,
        isTop: Bool
    ) throws -> ([Int: Sum], [Int: Sum]) {
        // Both servers work at the same time.
        try left.start(mine)
        try right.start(others)
        let (mine, others) = (Self.sums(try left.finish()), Self.sums(try right.finish()))
        if isTop {
            counts.left = mine.values.reduce(0) { $0 &+ $1.rows }
            counts.right = others.values.reduce(0) { $0 &+ $1.rows }
        }
        return (mine, others)
    }

    private static func sums(_ rows: [[String?]]) -> [Int: Sum] {
        var sums: [Int: Sum] = [:]
        for row in rows {
            guard let piece = row[0].flatMap({ Int($0) }), let count = row[1].flatMap({ UInt64($0) }) else { continue }
            sums[piece] = Sum(rows: count, hash: row[2] ?? "")
        }
        return sums
    }

    // MARK: - Rows

    private struct Found {
        var kind: RowDifference.Kind
        var left: RowStream.Place?
        var right: RowStream.Place?
        var copies = 1
    }

    private struct Entry {
        var row: RowStream.Row
        var order: Int
    }

    /// Holds one piece of the left side at a time, which is small.
    private func compareRows(_ mine: String, _ others: String, _ counts: inout RowCounts) throws {
        let mine = try RowStream(left, mine)
        let others = try RowStream(right, others)
        defer {
            mine.close()
            others.close()
        }
        var found: [Found] = []
        var bytes = 0
        func add(_ difference: Found, _ size: Int) throws {
            counts.add(difference.kind, difference.copies)
            guard wanted.contains(difference.kind) else { return }
            found.append(difference)
            bytes += size
            if found.count >= Self.batch || bytes >= Self.batchBytes {
                try tell(found)
                found.removeAll(keepingCapacity: true)
                bytes = 0
            }
        }
        while let piece = [try mine.next()?.piece, try others.next()?.piece].compactMap(\.self).min() {
            var known: [[UInt8]: Entry] = [:]
            while let row = try mine.take(of: piece) {
                var entry = known[row.key] ?? Entry(row: row.with(copies: 0), order: known.count)
                entry.row.copies += row.copies
                known[row.key] = entry
            }
            while let row = try others.take(of: piece) {
                guard var entry = known[row.key] else {
                    try add(Found(kind: .onlyRight, right: row.place, copies: row.copies), row.bytes)
                    continue
                }
                let shared = min(entry.row.copies, row.copies)
                if entry.row.hash != row.hash {
                    try add(
                        Found(kind: .changed, left: entry.row.place, right: row.place),
                        entry.row.bytes + row.bytes
                    )
                }
                if row.copies > shared {
                    try add(
                        Found(kind: .onlyRight, right: row.place, copies: row.copies - shared),
                        row.bytes
                    )
                }
                entry.row.copies -= shared
                known[row.key] = entry.row.copies > 0 ? entry : nil
            }
            for entry in known.values.sorted(by: { $0.order < $1.order }) {
                try add(Found(kind: .onlyLeft, left: entry.row.place, copies: entry.row.copies), entry.row.bytes)
            }
        }
        try tell(found)
    }

    /// Reads the values and passes them on.
    private func tell(_ found: [Found]) throws {
        guard !found.isEmpty else { return }
        let mine = try values(left, plan.left, found.compactMap(\.left))
        let others = try values(right, plan.right, found.compactMap(\.right))
        for difference in found {
            try visit(
                RowDifference(
                    difference.kind,
                    left: difference.left.flatMap { mine[$0] },
                    right: difference.right.flatMap { others[$0] },
                    copies: difference.copies
                )
            )
        }
    }

    private func values(
        _ server: ComparedDatabase,
        _ side: ComparisonPlan.Side,
        _ places: [RowStream.Place]
    ) throws -> [RowStream.Place: [String?]] {
        guard !places.isEmpty else { return [:] }
        var values: [RowStream.Place: [String?]] = [:]
        for row in try server.query(plan.values(side, places: Array(Set(places.map(\.tuple))))) where row.count >= 2 {
            values[RowStream.Place(table: row[0] ?? "", tuple: row[1] ?? "")] = Array(row.dropFirst(2))
        }
        return values
    }
}
