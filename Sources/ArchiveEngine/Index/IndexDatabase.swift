import ArchiveModel
import CSQLite
import Foundation
import Platform
import WALFormat

/// The index's tables: a row for each complete segment, and one for each event in them; names of relations.
///
/// It may be deleted at any time, and is made again from the WAL and the standby's catalogs: all but the names of what
/// is gone by then. Those are carried over from a file of another version.
package final class IndexDatabase {
    /// "pgax": tells the file from other programs' databases.
    private static let applicationID: Int64 = 0x7067_6178
    /// A file of another version is made anew.
    private static let version: Int64 = 4

    package let database: SQLiteDatabase

    /// Opens the index in a file, or one for the moment (`:memory:`).
    ///
    /// - Throws: `SQLiteError`, whose `isDamage` tells that the file is not an index that can be used.
    package init(_ path: String) throws(SQLiteError) {
        database = try SQLiteDatabase(path)
        // A cut of the power may cost the last rows, which are made again; it damages nothing.
        try database.execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL")
        let found = try database.rows("SELECT count(*) FROM sqlite_schema") { $0.integer(0) ?? 0 }.first ?? 0
        let application = try pragma("application_id")
        guard found == 0 || application == Self.applicationID else {
            throw SQLiteError(damaged: path, "it is the database of another program")
        }
        if found > 0 {
            let version = try pragma("user_version")
            guard version != Self.version else { return }
        }
        try create()
    }

    private func pragma(_ name: String) throws(SQLiteError) -> Int64 {
        try database.rows("PRAGMA \(name)") { $0.integer(0) ?? 0 }.first ?? 0
    }

    /// Another process may do the same at this moment: the tables are made by whoever comes first.
    private func create() throws(SQLiteError) {
        do {
            try database.transaction {
                guard try pragma("user_version") != Self.version else { return }
                let (names, state) = try namesOfAnyVersion()
                for table in ["segments", "surveys", "events", "event_relations", "names", "state"] {
                    try database.execute("DROP TABLE IF EXISTS \(table)")
                }
                try database.execute(Self.schema)
                try database.execute(
                    "PRAGMA application_id = \(Self.applicationID); PRAGMA user_version = \(Self.version)"
                )
                for name in names { try insert(name) }
                if let state { try setState(state, Self.namesKey) }
            }
        } catch let error as SQLiteError {
            throw error
        } catch {
            throw SQLiteError(damaged: database.path, "\(error)")
        }
    }

    /// What every version has had; nothing where a table is not there.
    private func namesOfAnyVersion() throws(SQLiteError) -> ([KnownName], NamesState?) {
        let tables = try database.rows("SELECT name FROM sqlite_schema WHERE name IN ('names', 'state')") { $0.text(0) }
        guard tables.count == 2 else { return ([], nil) }
        do {
            return (try names("true", []), try namesState())
        } catch {
            // A later version has them otherwise.
            guard error.code == SQLITE_ERROR else { throw error }
            return ([], nil)
        }
    }

    /// Positions and ids are integers, times PostgreSQL's microseconds.
    ///
    /// `newest_time` and `newest_transaction` are running maxima over a timeline's rows: they only rise with the
    /// number, so that a time or an id is found by one step down an index. Transaction ids are counted on beyond 32
    /// bits; `transaction_span` is the number of bits of the difference between the highest and the lowest. `run_start`
    /// is the first of the valid segments that lead up to this one without a hole; `joined` says whether the first
    /// record was checked to follow the last one before, on the parent too. `open_record` is the beginning of a record
    /// that ends in WAL that was not there. `form`, `file_bytes`, `modified` and `inode` tell the file that was read;
    /// they are null where it could not be opened.
    ///
    /// `surveys` has the state after some segments, from which reading can go on. `event_relations` says by which files
    /// and oids events are found; `naming` is an `EventNaming`, and `folded` is a name in small letters.
    private static let schema = """
        CREATE TABLE segments (
            timeline INTEGER NOT NULL, number INTEGER NOT NULL, run_start INTEGER NOT NULL, joined INTEGER NOT NULL,
            form TEXT, file_bytes INTEGER, modified INTEGER, inode INTEGER,
            first_record INTEGER, end INTEGER NOT NULL,
            records INTEGER NOT NULL, bytes INTEGER NOT NULL,
            commits INTEGER NOT NULL, aborts INTEGER NOT NULL,
            earliest_time INTEGER, latest_time INTEGER, newest_time INTEGER, stepped_back INTEGER NOT NULL,
            lowest_transaction INTEGER, highest_transaction INTEGER, newest_transaction INTEGER,
            transaction_span INTEGER,
            commit_time INTEGER, commit_transaction INTEGER, commit_start INTEGER, commit_end INTEGER,
            checkpoint_start INTEGER, checkpoint_redo INTEGER, checkpoint_time INTEGER,
            parameters TEXT, open_record INTEGER, readable INTEGER, fault TEXT,
            PRIMARY KEY (timeline, number)
        ) WITHOUT ROWID;
        CREATE INDEX segments_by_time ON segments (timeline, newest_time, number);
        CREATE INDEX segments_by_transaction ON segments (timeline, newest_transaction, number);
        CREATE INDEX segments_by_span ON segments (timeline, transaction_span, highest_transaction)
            WHERE transaction_span IS NOT NULL;
        CREATE INDEX segments_by_highest ON segments (timeline, highest_transaction)
            WHERE highest_transaction IS NOT NULL;
        CREATE INDEX segments_by_lowest ON segments (timeline, lowest_transaction)
            WHERE lowest_transaction IS NOT NULL;
        CREATE INDEX segments_by_run ON segments (timeline, run_start, number);
        CREATE INDEX segments_with_commits ON segments (timeline, number) WHERE commits > 0;
        CREATE INDEX segments_with_parameters ON segments (timeline, number) WHERE parameters IS NOT NULL;
        CREATE INDEX segments_stepping_back ON segments (timeline, number) WHERE stepped_back <> 0;
        CREATE INDEX segments_with_faults ON segments (timeline, number) WHERE fault IS NOT NULL;
        CREATE INDEX segments_with_open_records ON segments (timeline, number) WHERE open_record IS NOT NULL;
        CREATE TABLE surveys (
            timeline INTEGER NOT NULL, number INTEGER NOT NULL, state TEXT NOT NULL, PRIMARY KEY (timeline, number)
        ) WITHOUT ROWID;
        CREATE TABLE events (
            timeline INTEGER NOT NULL, start INTEGER NOT NULL, ordinal INTEGER NOT NULL, number INTEGER NOT NULL,
            kind TEXT NOT NULL, name TEXT, event TEXT NOT NULL,
            transaction_id INTEGER NOT NULL, naming INTEGER NOT NULL,
            PRIMARY KEY (timeline, start, ordinal)
        ) WITHOUT ROWID;
        CREATE INDEX events_by_transaction ON events (transaction_id) WHERE transaction_id <> 0;
        CREATE INDEX events_without_names ON events (naming, kind, timeline, start, ordinal) WHERE naming <> 1;
        CREATE INDEX events_by_kind ON events (kind, name, timeline, start);
        CREATE INDEX events_by_position ON events (start, timeline, kind);
        CREATE INDEX events_by_segment ON events (timeline, number);
        CREATE TABLE event_relations (
            database INTEGER NOT NULL, is_file INTEGER NOT NULL, relation INTEGER NOT NULL, kind TEXT NOT NULL,
            timeline INTEGER NOT NULL, start INTEGER NOT NULL, ordinal INTEGER NOT NULL,
            PRIMARY KEY (database, is_file, relation, kind, timeline, start, ordinal)
        ) WITHOUT ROWID;
        CREATE TABLE names (
            database INTEGER NOT NULL, relation INTEGER NOT NULL, file INTEGER NOT NULL,
            schema TEXT NOT NULL, name TEXT NOT NULL, kind TEXT NOT NULL,
            seen_from INTEGER NOT NULL, seen_to INTEGER, folded TEXT NOT NULL,
            PRIMARY KEY (database, relation, seen_from)
        ) WITHOUT ROWID;
        CREATE INDEX names_by_file ON names (database, file, seen_from);
        CREATE INDEX names_by_folded ON names (folded);
        CREATE TABLE state (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
        """

    // MARK: - Small state

    package func state<Value: Decodable>(_ type: Value.Type, _ key: String) throws(SQLiteError) -> Value? {
        let text = try database.rows("SELECT value FROM state WHERE key = ?", [.text(key)]) { $0.text(0) }
        // What another version wrote is as if it were not there.
        return (text.first ?? nil).flatMap { try? Self.value(type, $0) }
    }

    package func setState(_ value: some Encodable, _ key: String) throws {
        try database.run("INSERT OR REPLACE INTO state VALUES (?, ?)", [.text(key), .text(Self.json(value))])
    }

    /// The same value is always the same text.
    static func json(_ value: some Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(value), as: UTF8.self)
    }

    static func value<Value: Decodable>(_ type: Value.Type, _ text: String) throws -> Value {
        try JSONDecoder().decode(type, from: Data(text.utf8))
    }
}

extension SQLiteError {
    init(damaged path: String, _ message: String) {
        self.init(code: SQLITE_NOTADB, path: path, message: message)
    }
}

extension SQLiteValue {
    init(_ position: LSN?) { self = position.map { .integer(Int64(bitPattern: $0.rawValue)) } ?? .null }
    init(_ time: PostgresTime?) { self = time.map { .integer($0.rawValue) } ?? .null }
    init(_ number: UInt64) { self = .integer(Int64(bitPattern: number)) }
    init(_ number: UInt32) { self = .integer(Int64(number)) }
    init(_ timeline: TimelineID) { self = .integer(Int64(timeline.rawValue)) }
    init(_ text: String?) { self = text.map { .text($0) } ?? .null }
}

extension SQLiteRow {
    func lsn(_ column: Int32) -> LSN? { integer(column).map { LSN(UInt64(bitPattern: $0)) } }
    func time(_ column: Int32) -> PostgresTime? { integer(column).map { PostgresTime(rawValue: $0) } }
    func number(_ column: Int32) -> UInt64 { integer(column).map { UInt64(bitPattern: $0) } ?? 0 }
}
