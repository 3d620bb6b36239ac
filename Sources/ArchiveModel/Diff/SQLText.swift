/// Names and values as they stand in SQL.
package enum SQLText {
    /// In quotes unless it is plain and means nothing else.
    package static func identifier(_ name: String) -> String {
        let isPlain = name.utf8.enumerated().allSatisfy { index, byte in
            (0x61...0x7A).contains(byte) || byte == 0x5F || index > 0 && (0x30...0x39).contains(byte)
        }
        if isPlain, !name.isEmpty, !keywords.contains(name) { return name }
        return "\"\(name.replacingScalar("\"", with: "\"\""))\""
    }

    /// A value, nil as NULL; right whatever standard_conforming_strings is.
    package static func literal(_ value: String?) -> String {
        guard let value else { return "NULL" }
        let quoted = value.replacingScalar("'", with: "''")
        return quoted.utf8.contains(UInt8(ascii: "\\"))
            ? "E'\(quoted.replacingScalar("\\", with: "\\\\"))'" : "'\(quoted)'"
    }

    /// Texts as an array's, to be sent as a parameter.
    package static func array(_ texts: [String]) -> String {
        let elements = texts.map {
            "\"\($0.replacingScalar("\\", with: "\\\\").replacingScalar("\"", with: "\\\""))\""
        }
        return "{\(elements.joined(separator: ","))}"
    }

    /// A comment, on one line whatever the text: psql runs what stands behind a line break.
    package static func comment(_ text: String) -> String {
        "-- " + line(text)
    }

    /// On one line.
    package static func line(_ text: String) -> String {
        let scalars = text.unicodeScalars.map { scalar -> Unicode.Scalar in
            scalar.value < 0x20 || scalar.value == 0x7F ? " " : scalar
        }
        return String(String.UnicodeScalarView(scalars))
    }

    /// For psql: to another database of the same server; nil for a name that psql cannot be told.
    package static func connect(_ database: String) -> String? {
        if identifier(database) == database { return "\\connect \(database)" }
        guard line(database) == database else { return nil }
        // One with `=` in it would be taken for a connection string by itself.
        let value = database.replacingScalar("\\", with: "\\\\").replacingScalar("'", with: "\\'")
        return "\\connect -reuse-previous=on \(identifier("dbname='\(value)'"))"
    }

    package static func identifiers(_ names: [String]) -> String {
        names.map(identifier).joined(separator: ", ")
    }

    /// What is no column's or table's name without quotes (PostgreSQL: kwlist.h, all but the unreserved ones).
    private static let keywords: Set<String> = Set(
        """
        all analyse analyze and any array as asc asymmetric authorization between bigint binary bit boolean both case \
        cast char character check coalesce collate collation column concurrently constraint create cross \
        current_catalog current_date current_role current_schema current_time current_timestamp current_user dec \
        decimal default deferrable desc distinct do else end except exists extract false fetch float for foreign \
        freeze from full grant greatest group grouping having ilike in initially inner inout int integer intersect \
        interval into is isnull join json json_array json_arrayagg json_exists json_object json_objectagg json_query \
        json_scalar json_serialize json_table json_value lateral leading least left like limit localtime \
        localtimestamp merge_action national natural nchar none normalize not notnull null nullif numeric offset on \
        only or order out outer overlaps overlay placing position precision primary real references returning right \
        row select session_user setof similar smallint some substring symmetric system_user table tablesample then \
        time timestamp to trailing treat trim true union unique user using values varchar variadic verbose when where \
        window with xmlattributes xmlconcat xmlelement xmlexists xmlforest xmlnamespaces xmlparse xmlpi xmlroot \
        xmlserialize xmltable
        """.split(separator: " ").map(String.init)
    )
}

/// A table, or another relation, with its schema.
package struct TableName: Codable, Hashable, Comparable, Sendable, CustomStringConvertible {
    package var schema: String
    package var name: String

    package init(_ schema: String, _ name: String) {
        self.schema = schema
        self.name = name
    }

    package var sql: String { "\(SQLText.identifier(schema)).\(SQLText.identifier(name))" }
    /// As people read it.
    package var description: String { "\(schema).\(name)" }

    // By bytes, as PostgreSQL does: letters that look alike may be others.

    private var bytes: [[UInt8]] { [Array(schema.utf8), Array(name.utf8)] }

    package static func == (left: TableName, right: TableName) -> Bool { left.bytes == right.bytes }

    package func hash(into hasher: inout Hasher) { hasher.combine(bytes) }

    package static func < (left: TableName, right: TableName) -> Bool {
        left.bytes.lexicographicallyPrecedes(right.bytes) { $0.lexicographicallyPrecedes($1) }
    }
}
