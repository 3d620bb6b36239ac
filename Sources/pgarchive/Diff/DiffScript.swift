import ArchiveEngine
import ArchiveModel
import Glibc
import Platform

/// The statements of a comparison, kept in files until all are known: rows are removed before others are put.
final class DiffScript {
    private let toLeft: Bool
    private let removals: Spool
    private let puts: Spool
    private var databases: [Database] = []

    private struct Database {
        var name: String
        /// Where each table's removals begin: they are run in the other order.
        var tables: [Int64] = []
        var removalsEnd: Int64 = 0
        var puts: Range<Int64> = 0..<0
        var before: [String] = []
        var after: [String] = []
        var sequences: [String] = []

        var isEmpty: Bool {
            before.isEmpty && after.isEmpty && sequences.isEmpty && puts.isEmpty && tables.first ?? 0 == removalsEnd
        }
    }

    init(_ container: Container, toLeft: Bool) throws {
        self.toLeft = toLeft
        removals = try Spool(in: container.paths.run)
        puts = try Spool(in: container.paths.run)
    }

    func begin(_ database: String) throws {
        var new = Database(name: database)
        new.removalsEnd = removals.end
        new.tables = [removals.end]
        new.puts = puts.end..<puts.end
        databases.append(new)
    }

    func begin(_ table: TableName) throws {
        guard !databases.isEmpty else { return }
        databases[databases.count - 1].tables.append(removals.end)
    }

    /// - Parameter isAlone: its table is dropped, or made.
    func add(_ plan: ComparisonPlan, _ row: RowDifference, isAlone: Bool) throws {
        for statement in RowStatements(plan, toLeft: toLeft).statements(row) where !statement.text.isEmpty {
            if isAlone, statement.isRemoval { continue }
            // Bytes that are no UTF-8 were read as this.
            if plan.hasAnyBytes, statement.text.unicodeScalars.contains("\u{FFFD}") {
                throw ArchiveError(
                    .refused,
                    "a row of table '\(plan.left.name)' holds bytes that are not UTF-8, and cannot be written as SQL",
                    hint: "its database has the encoding SQL_ASCII; leave out --sql to see what differs"
                )
            }
            try (statement.isRemoval ? removals : puts).add(statement.text + "\n")
        }
    }

    func end(_ difference: DatabaseDifference) throws {
        guard var database = databases.popLast() else { return }
        database.removalsEnd = removals.end
        database.puts = database.puts.lowerBound..<puts.end
        let changes = toLeft ? difference.schema.map(\.reversed) : difference.schema
        (database.before, database.after) = SchemaDifference.statements(changes)
        database.sequences = difference.sequences.compactMap { sequence in
            if let value = toLeft ? sequence.left : sequence.right {
                return "SELECT setval(\(SQLText.literal(sequence.name.sql)), \(value));"
            }
            // Not used yet.
            return sequence.isShared ? "ALTER SEQUENCE \(sequence.name.sql) RESTART;" : nil
        }
        databases.append(database)
    }

    /// Writes all of it to the standard output.
    func write(from: String, to: String) throws {
        let wanted = databases.filter { !$0.isEmpty }
        try StandardOutput.write(SQLText.comment("pgarchive diff: makes \(from) like \(to)") + "\n")
        if wanted.isEmpty { try StandardOutput.write("-- they are the same\n") }
        for database in wanted {
            let place =
                wanted.count > 1
                ? "\n\(try Self.connect(database.name))"
                : SQLText.comment("in the database \(SQLText.identifier(database.name))")
            try StandardOutput.write(place + "\n")
            try StandardOutput.write("\\set ON_ERROR_STOP on\nBEGIN;\n\(RowStatements.settings)\n")
            try StandardOutput.write(lines(database.before))
            var end = database.removalsEnd
            for start in database.tables.reversed() {
                try removals.write(start..<end)
                end = start
            }
            try puts.write(database.puts)
            try StandardOutput.write(lines(database.after))
            try StandardOutput.write(database.sequences.map { $0 + "\n" }.joined() + "COMMIT;\n")
        }
    }

    private static func connect(_ database: String) throws -> String {
        guard let text = SQLText.connect(database) else {
            throw ArchiveError(
                .refused,
                "psql cannot be told the name of a database with a line break in it: '\(database)'",
                hint: "--database compares one"
            )
        }
        return text
    }

    private func lines(_ statements: [String]) -> String {
        statements.map { $0 + ($0.hasSuffix(";") ? "\n" : ";\n") }.joined()
    }
}

/// Text that is too long to be held, in a file without a name.
private final class Spool {
    private let file: Descriptor
    private var pending: [UInt8] = []
    private(set) var end: Int64 = 0

    private static let bufferBytes = 1 << 16

    init(in directory: String) throws {
        let path = "\(directory)/diff-\(UInt64.random(in: .min ... .max)).tmp"
        file = try Descriptor.open(path, O_RDWR | O_CREAT | O_EXCL)
        try FileTree.removeFile(path)
    }

    func add(_ text: String) throws {
        pending += Array(text.utf8)
        end += Int64(text.utf8.count)
        if pending.count >= Self.bufferBytes { try flush() }
    }

    private func flush() throws {
        try file.writeAll(pending)
        pending.removeAll(keepingCapacity: true)
    }

    /// Writes a part of it to the standard output.
    func write(_ range: Range<Int64>) throws {
        try flush()
        var position = range.lowerBound
        while position < range.upperBound {
            let count = Int(min(Int64(Self.bufferBytes), range.upperBound - position))
            let bytes = try file.bytes(at: position, count: count)
            guard !bytes.isEmpty else { break }
            try bytes.withUnsafeBytes { try StandardOutput.write($0) }
            position += Int64(bytes.count)
        }
    }
}
