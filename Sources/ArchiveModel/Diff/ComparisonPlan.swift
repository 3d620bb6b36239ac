/// How the rows of two tables are compared: which columns, by which key, in which ranges; and the SQL for it.
///
/// Each server adds up the hashes of its rows by range. Only ranges whose sums differ are read row by row.
package struct ComparisonPlan: Hashable, Sendable {
    /// Where the ranges lie.
    package enum Ranges: Hashable, Sendable {
        /// Along the key, which both servers order alike.
        case ofKey
        /// Along a hash of the key's text.
        case ofKeyHash
        /// Along a hash of the whole row: there is no key.
        case ofRowHash
    }

    /// Rows of a key range: from the first on, up to the second and without it.
    package struct KeyRange: Hashable, Sendable {
        package var from: [String]?
        package var to: [String]?

        package init(from: [String]? = nil, to: [String]? = nil) {
            self.from = from
            self.to = to
        }
    }

    /// One side's name and kind of the table.
    package struct Side: Hashable, Sendable {
        package let name: TableName
        package let isPartitioned: Bool
    }

    package let left: Side
    package let right: Side
    /// Those that both have, in the left one's order.
    package let columns: [TableShape.Column]
    package let key: [String]
    package let ranges: Ranges
    private let isEncoded: Bool
    /// A side's database takes any bytes for text.
    package let hasAnyBytes: Bool
    /// So many rows there may be.
    package let rows: UInt64

    /// Rows that are compared one by one at a time.
    package static let fewRows: UInt64 = 5000

    package init(_ left: TableShape, _ right: TableShape) {
        self.left = Side(name: left.name, isPartitioned: left.isPartitioned)
        self.right = Side(name: right.name, isPartitioned: right.isPartitioned)
        let others = Dictionary(right.columns.map { ($0.name, $0) }) { first, _ in first }
        columns = left.columns.filter { others[$0.name] != nil }
        isEncoded = left.encoding != right.encoding
        hasAnyBytes = left.encoding == "SQL_ASCII" || right.encoding == "SQL_ASCII"
        // Few rows are smaller than this.
        rows = max(left.bytes, right.bytes) / 64
        key = !left.key.isEmpty && Set(left.key) == Set(right.key) ? left.key : []
        let isOrdered = key.allSatisfy { name in
            guard let mine = left.columns.first(where: { $0.name == name })?.order else { return false }
            return others[name]?.order == mine
        }
        ranges = key.isEmpty ? .ofRowHash : isOrdered ? .ofKey : .ofKeyHash
    }

    /// Where a column stands in a difference's values.
    package func position(of column: String) -> Int? { columns.firstIndex { $0.name == column } }

    /// The key's values of a row.
    package func keyValues(_ row: [String?]) -> [String?] {
        key.map { name in position(of: name).flatMap { $0 < row.count ? row[$0] : nil } }
    }

    // MARK: - The parts of statements

    private var rowText: String { text(of: columns.map(\.name)) }

    /// In one encoding, so that equal texts have equal hashes.
    private func text(of names: [String]) -> String {
        let row = "ROW(\(SQLText.identifiers(names)))::text"
        return isEncoded ? "encode(convert_to(\(row), 'UTF8'), 'hex')" : row
    }

    private static func hash(_ text: String) -> String { "hashtextextended(\(text) COLLATE \"C\", 0)" }

    private func source(_ side: Side) -> String { (side.isPartitioned ? "" : "ONLY ") + side.name.sql }

    private var keyColumns: String { SQLText.identifiers(key) }

    private var keyValue: String { key.count == 1 ? keyColumns : "ROW(\(keyColumns))" }

    private func constant(_ values: [String]) -> String {
        let typed = zip(key, values).map { name, value in
            "\(SQLText.literal(value))::\(columns.first { $0.name == name }?.type ?? "text")"
        }
        return typed.count == 1 ? typed[0] : "ROW(\(typed.joined(separator: ", ")))"
    }

    private func condition(_ range: KeyRange) -> String {
        let limits =
            (range.from.map { ["\(keyValue) >= \(constant($0))"] } ?? [])
            + (range.to.map { ["\(keyValue) < \(constant($0))"] } ?? [])
        return limits.isEmpty ? "" : " WHERE " + limits.joined(separator: " AND ")
    }

    /// So many bits of the hash tell a row's range.
    private var bits: Int {
        var bits = 0
        while bits < 15, rows >> bits > Self.fewRows / 2 { bits += 1 }
        return bits
    }

    private var hashRange: String {
        let hash = Self.hash(ranges == .ofRowHash ? rowText : text(of: key))
        return bits == 0 ? "0" : "((\(hash) >> \(64 - bits)) & \((1 << bits) - 1))"
    }

    // MARK: - Statements

    /// Keys that cut a range into pieces of about so many rows.
    package func cuts(_ side: Side, _ range: KeyRange, every step: UInt64) -> String {
        let aliases = key.indices.map { "k\($0)" }
        let named = zip(key, aliases).map { "\(SQLText.identifier($0)) AS \($1)" }
        return """
            SELECT \(aliases.joined(separator: ", ")) FROM (
            SELECT \(named.joined(separator: ", ")), row_number() OVER (ORDER BY \(keyColumns)) AS n
            FROM \(source(side))\(condition(range))) keys
            WHERE n % \(max(1, step)) = 0 ORDER BY n
            """
    }

    /// The number of rows and the sum of their hashes, of each piece of a key range.
    package func sums(_ side: Side, _ range: KeyRange, cuts: [[String]]) -> String {
        let piece =
            cuts.isEmpty
            ? "0" : "width_bucket(\(keyValue), ARRAY[\(cuts.map(constant).joined(separator: ", "))])"
        return "SELECT \(piece) AS piece, count(*), sum(\(Self.hash(rowText))) FROM \(source(side))"
            + "\(condition(range)) GROUP BY 1"
    }

    /// The same of each range of hashes.
    package func sums(_ side: Side) -> String {
        "SELECT \(hashRange) AS piece, count(*), sum(\(Self.hash(rowText))) FROM \(source(side)) GROUP BY 1"
    }

    /// The rows of a key range: piece, key, hash, copies, table, place, length.
    package func rows(_ side: Side, _ range: KeyRange) -> String {
        "SELECT 0, \(text(of: key)), \(Self.hash(rowText)), 1, tableoid::bigint, ctid, octet_length(\(rowText)) "
            + "FROM \(source(side))\(condition(range)) ORDER BY \(keyColumns)"
    }

    /// The rows of some ranges of hashes, these in order.
    package func rows(_ side: Side, pieces: [Int]) -> String {
        let wanted = pieces.map(String.init).joined(separator: ", ")
        let source = "FROM \(source(side)) WHERE \(hashRange) = ANY (ARRAY[\(wanted)]::bigint[])"
        if ranges == .ofRowHash {
            return "SELECT \(hashRange), \(Self.hash(rowText)), \(Self.hash(rowText)), count(*), tableoid::bigint, "
                + "min(ctid), max(octet_length(\(rowText))) \(source) GROUP BY 1, 2, 3, tableoid ORDER BY 1"
        }
        return "SELECT \(hashRange), \(text(of: key)), \(Self.hash(rowText)), 1, tableoid::bigint, ctid, "
            + "octet_length(\(rowText)) \(source) ORDER BY 1"
    }

    /// All rows of one table.
    package func allRows(_ side: Side) -> String {
        "SELECT \(SQLText.identifiers(columns.map(\.name))) FROM \(source(side))"
            + (ranges == .ofKey ? " ORDER BY \(keyColumns)" : "")
    }

    package func count(_ side: Side) -> String { "SELECT count(*) FROM \(source(side))" }

    /// The values at places, behind the table's number and the place.
    package func values(_ side: Side, places: [String]) -> String {
        let list = places.map { "'\($0)'" }.joined(separator: ", ")
        let columns = columns.map { ", \(SQLText.identifier($0.name))" }.joined()
        return "SELECT tableoid::bigint, ctid\(columns) FROM \(source(side)) WHERE ctid = ANY (ARRAY[\(list)]::tid[])"
    }
}
