import CSQLite

/// What SQLite could not do, by its own code.
package struct SQLiteError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The primary result code (sqlite3.h).
    package let code: Int32
    package let path: String
    package let message: String

    /// The file is no database, or a damaged one: nothing in it can be believed.
    package var isDamage: Bool { code == SQLITE_CORRUPT || code == SQLITE_NOTADB || code == SQLITE_FORMAT }

    package var description: String { "'\(path)': \(message) (SQLite code \(code))" }
}

/// A value of a statement: what it is given, or a column of what it finds.
package enum SQLiteValue: Hashable, Sendable {
    case null
    case integer(Int64)
    case text(String)
}

/// A connection to an SQLite database; to be used by one thread at a time.
package final class SQLiteDatabase {
    package let path: String
    private let handle: OpaquePointer
    /// Prepared once: the same few statements are run for each segment.
    private var statements: [String: OpaquePointer] = [:]

    /// All that were run so far, but by `execute`.
    package var texts: [String] { statements.keys.sorted() }

    /// Opens a file, or `:memory:`.
    ///
    /// - Parameter busySeconds: how long another process's transaction is waited for.
    package init(_ path: String, readOnly: Bool = false, busySeconds: Double = 10) throws(SQLiteError) {
        var opened: OpaquePointer?
        let flags = readOnly ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE
        let result = sqlite3_open_v2(path, &opened, flags | SQLITE_OPEN_NOMUTEX, nil)
        guard result == SQLITE_OK, let opened else {
            let message = opened.map { String(cString: sqlite3_errmsg($0)) } ?? "no memory"
            if let opened { sqlite3_close_v2(opened) }
            throw SQLiteError(code: result & 0xFF, path: path, message: message)
        }
        self.path = path
        self.handle = opened
        sqlite3_busy_timeout(opened, Int32(busySeconds * 1000))
    }

    deinit {
        for statement in statements.values { sqlite3_finalize(statement) }
        sqlite3_close_v2(handle)
    }

    /// Runs statements, separated by `;`, of which no rows are wanted.
    package func execute(_ sql: String) throws(SQLiteError) {
        try check(sqlite3_exec(handle, sql, nil, nil, nil))
    }

    /// Runs one statement with values for its `?`.
    package func run(_ sql: String, _ values: [SQLiteValue] = []) throws(SQLiteError) {
        try each(sql, values) { _ in }
    }

    /// The rows that a statement finds, each as `make` makes it.
    package func rows<Row>(
        _ sql: String,
        _ values: [SQLiteValue] = [],
        _ make: (SQLiteRow) -> Row
    ) throws(SQLiteError) -> [Row] {
        var rows: [Row] = []
        try each(sql, values) { rows.append(make($0)) }
        return rows
    }

    /// Hands over the rows that a statement finds, until the visitor says no.
    package func visit(_ sql: String, _ values: [SQLiteValue] = [], _ visit: (SQLiteRow) throws -> Bool) throws {
        let statement = try prepared(sql)
        defer { release(statement) }
        for (index, value) in values.enumerated() { try bind(value, at: Int32(index) + 1, statement) }
        while true {
            let result = sqlite3_step(statement)
            if result == SQLITE_DONE { return }
            guard result == SQLITE_ROW else { throw error(result) }
            guard try visit(SQLiteRow(statement: statement)) else { return }
        }
    }

    /// All of `body` or nothing of it; the write lock is taken at once, so that nothing fails half-way for want of it.
    package func transaction<Result>(_ body: () throws -> Result) throws -> Result {
        try execute("BEGIN IMMEDIATE")
        do {
            let result = try body()
            try execute("COMMIT")
            return result
        } catch {
            try? execute("ROLLBACK")
            throw error
        }
    }

    private func each(_ sql: String, _ values: [SQLiteValue], _ take: (SQLiteRow) -> Void) throws(SQLiteError) {
        let statement = try prepared(sql)
        defer { release(statement) }
        for (index, value) in values.enumerated() { try bind(value, at: Int32(index) + 1, statement) }
        while true {
            let result = sqlite3_step(statement)
            if result == SQLITE_DONE { return }
            guard result == SQLITE_ROW else { throw error(result) }
            take(SQLiteRow(statement: statement))
        }
    }

    private func release(_ statement: OpaquePointer) {
        sqlite3_reset(statement)
        sqlite3_clear_bindings(statement)
    }

    private func prepared(_ sql: String) throws(SQLiteError) -> OpaquePointer {
        if let known = statements[sql] { return known }
        var statement: OpaquePointer?
        try check(sqlite3_prepare_v3(handle, sql, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &statement, nil))
        guard let statement else { throw error(SQLITE_MISUSE) }
        statements[sql] = statement
        return statement
    }

    private func bind(_ value: SQLiteValue, at index: Int32, _ statement: OpaquePointer) throws(SQLiteError) {
        switch value {
        case .null: try check(sqlite3_bind_null(statement, index))
        case .integer(let number): try check(sqlite3_bind_int64(statement, index, number))
        case .text(let text):
            // SQLITE_TRANSIENT: SQLite copies it.
            let copied = unsafeBitCast(-1, to: sqlite3_destructor_type.self)
            let bytes = Array(text.utf8.map { CChar(bitPattern: $0) })
            try check(sqlite3_bind_text(statement, index, bytes, Int32(clamping: bytes.count), copied))
        }
    }

    private func check(_ result: Int32) throws(SQLiteError) {
        if result != SQLITE_OK { throw error(result) }
    }

    private func error(_ result: Int32) -> SQLiteError {
        SQLiteError(code: result & 0xFF, path: path, message: String(cString: sqlite3_errmsg(handle)))
    }
}

/// A row that a statement has found; valid until the next one.
package struct SQLiteRow {
    fileprivate let statement: OpaquePointer

    package func integer(_ column: Int32) -> Int64? {
        sqlite3_column_type(statement, column) == SQLITE_NULL ? nil : sqlite3_column_int64(statement, column)
    }

    package func text(_ column: Int32) -> String? {
        guard let bytes = sqlite3_column_text(statement, column) else { return nil }
        let count = Int(sqlite3_column_bytes(statement, column))
        return String(decoding: UnsafeBufferPointer(start: bytes, count: count), as: UTF8.self)
    }
}
