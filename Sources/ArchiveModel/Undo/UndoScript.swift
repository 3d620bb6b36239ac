/// The statements of an undo: for psql, in one transaction.
package enum UndoScript {
    /// - Parameter lines: what it is, as a comment.
    package static func beginning(_ lines: [String]) -> String {
        lines.map { SQLText.comment($0) + "\n" }.joined()
            + """
            -- For psql. All of it is done, or nothing.

            \\set ON_ERROR_STOP on
            BEGIN;
            SET LOCAL client_min_messages = warning;

            """
    }

    package static let ending = "\nCOMMIT;\n"

    /// What the tools of PostgreSQL write has results that nobody needs to see.
    package static let quietly = "\\o /dev/null\n"
    package static let aloud = "\\o\n"

    // MARK: - Whole tables

    /// Goes before the tables' own definitions.
    package static func schemas(_ plan: UndoPlan) -> String {
        plan.schemas.map { schema in
            let name = SQLText.identifier(schema.name)
            return block(
                """
                IF to_regnamespace(\(SQLText.literal(name))) IS NULL THEN
                  CREATE SCHEMA \(name);
                  ALTER SCHEMA \(name) OWNER TO \(SQLText.identifier(schema.owner));
                END IF;
                """
            )
        }.joined()
    }

    /// Goes behind the tables with all that is theirs: foreign keys, counts, and what is said at the end.
    package static func tablesEnding(_ plan: UndoPlan) -> String {
        plan.indexes.map { $0 + ";\n" }.joined()
            + plan.foreignKeys.map(foreignKey).joined()
            + plan.tables.filter(\.holdsRows).compactMap { table in
                table.rows.map { count(table, $0) }
            }.joined()
            + plan.tables.filter(\.holdsRows).map { table in
                "SELECT \(SQLText.literal("\(table.name): ")) || count(*) || ' rows put back' "
                    + "FROM ONLY \(table.name.sql);\n"
            }.joined()
    }

    /// Comes back if it can: checked, else unchecked, else not at all and told.
    private static func foreignKey(_ key: UndoForeignKey) -> String {
        let isUnchecked = key.definition.hasSuffix(" NOT VALID")
        let add =
            "ALTER TABLE \(key.table.sql) ADD CONSTRAINT \(SQLText.identifier(key.name)) \(key.definition)"
        let comment =
            key.comment.map {
                "\nCOMMENT ON CONSTRAINT \(SQLText.identifier(key.name)) ON \(key.table.sql) IS \(SQLText.literal($0));"
            } ?? ""
        let title = "foreign key \(key.name) of \(key.table)"
        let unchecked =
            isUnchecked
            ? ""
            : """
            WHEN foreign_key_violation THEN
              BEGIN
                \(add) NOT VALID;\(comment)
                RAISE WARNING '%', \(SQLText.literal("\(title) is NOT VALID, as rows of now violate it: ")) || SQLERRM;
              EXCEPTION WHEN OTHERS THEN
                RAISE WARNING '%', \(SQLText.literal("\(title) does not come back: ")) || SQLERRM;
              END;

            """
        return block(
            """
            \(add);\(comment)
            """,
            exceptions: unchecked + """
                WHEN OTHERS THEN
                  RAISE WARNING '%', \(SQLText.literal("\(title) does not come back: ")) || SQLERRM;
                """
        )
    }

    private static func count(_ table: UndoTable, _ expected: UInt64) -> String {
        block(
            """
            IF (SELECT count(*) FROM ONLY \(table.name.sql)) <> \(expected) THEN
              RAISE EXCEPTION '%', \(SQLText.literal("\(table.name) has not the \(expected) rows that it had"));
            END IF;
            """
        )
    }

    // MARK: - Rows

    /// Goes before a table's rows, which follow as COPY's text.
    package static func rowsBeginning(_ table: UndoTable, _ number: Int) -> String {
        let columns = table.columns.map { "\(SQLText.identifier($0.name)) \($0.type)" }.joined(separator: ", ")
        return """

            \(SQLText.comment(table.name.description))
            CREATE TEMPORARY TABLE \(staged(number)) (\(columns)) ON COMMIT DROP;
            COPY \(staged(number)) (\(list(table.columns.map(\.name)))) FROM stdin;

            """
    }

    /// Goes before the keys of rows that are there still after the transaction, as COPY's text.
    package static func keptBeginning(_ table: UndoTable, _ number: Int) -> String {
        let columns = table.columns.filter { table.key.contains($0.name) }
        return """
            CREATE TEMPORARY TABLE \(staged(number))_kept (
              \(columns.map { "\(SQLText.identifier($0.name)) \($0.type)" }.joined(separator: ", "))
            ) ON COMMIT DROP;
            COPY \(staged(number))_kept (\(list(columns.map(\.name)))) FROM stdin;

            """
    }

    package static func keptEnding(_ table: UndoTable, _ number: Int) -> String {
        copyEnd
            + "DELETE FROM \(staged(number)) r USING \(staged(number))_kept k WHERE \(same(table.key, "k", "r"));\n"
    }

    package static let copyEnd = "\\.\n"

    /// Goes behind a table's rows.
    package static func rowsEnding(_ table: UndoTable, _ number: Int) -> String {
        let name = table.name.sql
        // Equal rows of children are others.
        let own = (table.isPartitioned ? "" : "ONLY ") + name
        let columns = list(table.columns.map(\.name))
        let missing = list(table.columns.map(\.name), of: "m")
        let theirs = list(table.columns.map(\.name), of: "t")
        // Not `r::text`: a column may be called r.
        let whole = "ROW(\(list(table.columns.map(\.name), of: "r")))::text"
        var text = copied(table, number)
        if table.key.isEmpty {
            text += """
                WITH missing AS (
                  SELECT r.*, row_number() OVER (PARTITION BY \(whole)) AS pgarchive_number FROM \(staged(number)) r
                ), there AS (
                  SELECT ROW(\(columns))::text AS whole, count(*) AS times FROM \(own) GROUP BY 1
                ), put AS (
                  INSERT INTO \(name) (\(columns)) OVERRIDING SYSTEM VALUE
                  SELECT \(missing) FROM missing m LEFT JOIN there t ON t.whole = ROW(\(missing))::text
                  WHERE m.pgarchive_number > coalesce(t.times, 0)
                  RETURNING 1
                )
                SELECT \(SQLText.literal("\(table.name): ")) || (SELECT count(*) FROM put) || ' of '
                  || (SELECT count(*) FROM \(staged(number))) || ' rows put back'
                  || CASE WHEN (SELECT count(*) FROM put) < (SELECT count(*) FROM \(staged(number)))
                     THEN '; the others are there already' ELSE '' END;

                """
        } else {
            text += """
                SELECT \(SQLText.literal("\(table.name): rows that are there again, and stay as they are: "))
                  || count(*) || ' (with other values: '
                  || count(*) FILTER (WHERE ROW(\(theirs))::text <> \(whole)) || ')'
                FROM \(staged(number)) r JOIN \(own) t ON \(same(table.key, "t", "r"))
                HAVING count(*) > 0;
                WITH put AS (
                  INSERT INTO \(name) (\(columns)) OVERRIDING SYSTEM VALUE
                  SELECT \(columns) FROM \(staged(number)) r
                  WHERE NOT EXISTS (SELECT FROM \(own) t WHERE \(same(table.key, "t", "r")))
                  \(table.hasDeferrableKey ? "" : "ON CONFLICT DO NOTHING ")RETURNING 1
                )
                SELECT \(SQLText.literal("\(table.name): ")) || (SELECT count(*) FROM put) || ' of '
                  || (SELECT count(*) FROM \(staged(number))) || ' rows put back';
                SELECT \(SQLText.literal("\(table.name): rows not put back, as others have their unique values: "))
                  || count(*)
                FROM \(staged(number)) r WHERE NOT EXISTS (SELECT FROM \(own) t WHERE \(same(table.key, "t", "r")))
                HAVING count(*) > 0;

                """
        }
        return text + table.sequences.map(sequence).joined()
    }

    /// COPY reports nothing in between: what came is what was counted.
    private static func copied(_ table: UndoTable, _ number: Int) -> String {
        guard let rows = table.rows, !table.hasOthers else { return "" }
        return block(
            """
            IF (SELECT count(*) FROM \(staged(number))) <> \(rows) THEN
              RAISE EXCEPTION '%', \(SQLText.literal("there are not \(rows) rows of \(table.name), as there were"));
            END IF;
            """
        )
    }

    /// Triggers of users are off meanwhile, those of partitions too: rows come back as they were.
    package static func triggers(_ tables: [UndoTable]) -> (off: String, on: String) {
        let relations = tables.map { "\(SQLText.literal($0.name.sql))::regclass" }.joined(separator: ", ")
        let off = """
            CREATE TEMPORARY TABLE pgarchive_undo_triggers ON COMMIT DROP AS
            WITH wanted (tables) AS (SELECT ARRAY[\(relations)])
            SELECT t.tgrelid::regclass AS relation, t.tgname AS name, t.tgenabled AS state
            FROM pg_trigger t
            WHERE NOT t.tgisinternal AND t.tgenabled IN ('O', 'A') AND t.tgrelid IN (
              SELECT unnest(wanted.tables) FROM wanted UNION SELECT part.relid
              FROM wanted, unnest(wanted.tables) tables (oid), LATERAL pg_partition_tree(tables.oid) part);

            """
        func each(_ statement: String) -> String {
            block(
                """
                FOR found IN SELECT * FROM pgarchive_undo_triggers LOOP
                  EXECUTE \(statement);
                END LOOP;
                """,
                declare: "found record;"
            )
        }
        return (
            off + each("format('ALTER TABLE ONLY %s DISABLE TRIGGER %I', found.relation, found.name)"),
            each(
                "format('ALTER TABLE ONLY %s ENABLE %s TRIGGER %I', found.relation, "
                    + "CASE found.state WHEN 'A' THEN 'ALWAYS' ELSE '' END, found.name)"
            )
        )
    }

    /// Goes on from where it was, or is by now.
    private static func sequence(_ sequence: UndoTable.Sequence) -> String {
        let further = sequence.increment < 0 ? "least" : "greatest"
        return quietly
            + "SELECT setval(\(SQLText.literal(sequence.name.sql)), \(further)(last_value, \(sequence.last))) "
            + "FROM \(sequence.name.sql);\n" + aloud
    }

    // MARK: - Parts

    private static func staged(_ number: Int) -> String { "pgarchive_undo_\(number)" }

    private static func list(_ columns: [String], of alias: String? = nil) -> String {
        columns.map { (alias.map { "\($0)." } ?? "") + SQLText.identifier($0) }.joined(separator: ", ")
    }

    private static func same(_ key: [String], _ one: String, _ other: String) -> String {
        key.map { "\(one).\(SQLText.identifier($0)) = \(other).\(SQLText.identifier($0))" }.joined(separator: " AND ")
    }

    private static func block(_ body: String, declare: String = "", exceptions: String = "") -> String {
        let text =
            (declare.isEmpty ? "" : "DECLARE\n  \(declare)\n") + "BEGIN\n\(body)\n"
            + (exceptions.isEmpty ? "" : "EXCEPTION\n\(exceptions)\n") + "END\n"
        // A name may hold anything, also what would end the block; by bytes, as PostgreSQL looks for it.
        var tag = "$pgarchive$"
        var number = 0
        while text.utf8.contains(tag.utf8) {
            number += 1
            tag = "$pgarchive\(number)$"
        }
        return "DO \(tag)\n\(text)\(tag);\n"
    }
}
