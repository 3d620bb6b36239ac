import ArchiveModel

/// Rows of a server as they come, some thousand at a time.
final class RowStream {
    /// Where a row lies, at the moment that is looked at.
    struct Place: Hashable {
        var table: String
        var tuple: String
    }

    struct Row {
        var piece: Int
        /// As bytes: texts that are the same to Swift may be two keys.
        var key: [UInt8]
        var hash: String
        var copies: Int
        var place: Place
        var bytes: Int

        func with(copies: Int) -> Row {
            var row = self
            row.copies = copies
            return row
        }
    }

    private let server: ComparedDatabase
    private var rows: ArraySlice<[String?]> = []
    private var isAtEnd = false

    private static let step = 2000

    /// A server has one at a time.
    init(_ server: ComparedDatabase, _ query: String) throws {
        self.server = server
        _ = try server.query("DECLARE pgarchive_rows NO SCROLL CURSOR FOR \(query)")
    }

    func close() { _ = try? server.query("CLOSE pgarchive_rows") }

    /// The next row as the server gave it.
    func raw() throws -> [String?]? {
        try fill()
        return rows.popFirst()
    }

    /// The next row, which stays.
    func next() throws -> Row? {
        try fill()
        guard let row = rows.first, row.count >= 7 else { return nil }
        return Row(
            piece: row[0].flatMap { Int($0) } ?? 0,
            key: Array((row[1] ?? "").utf8),
            hash: row[2] ?? "",
            copies: row[3].flatMap { Int($0) } ?? 1,
            place: Place(table: row[4] ?? "", tuple: row[5] ?? ""),
            bytes: row[6].flatMap { Int($0) } ?? 0
        )
    }

    /// Takes the next row if it is of this piece.
    func take(of piece: Int) throws -> Row? {
        guard let row = try next(), row.piece == piece else { return nil }
        rows.removeFirst()
        return row
    }

    private func fill() throws {
        guard rows.isEmpty, !isAtEnd else { return }
        rows = try server.query("FETCH \(Self.step) FROM pgarchive_rows")[...]
        isAtEnd = rows.isEmpty
    }
}
