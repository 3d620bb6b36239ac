/// Differences of rows as SQL that makes one table like the other.
package struct RowStatements {
    package struct Statement: Hashable, Sendable {
        /// Rows are removed from tables before those that they refer to, and put into them after.
        package var isRemoval: Bool
        package var text: String

        package init(isRemoval: Bool, text: String) {
            self.isRemoval = isRemoval
            self.text = text
        }
    }

    private let plan: ComparisonPlan
    private let table: String
    private let toLeft: Bool

    /// - Parameter toLeft: makes the right table like the left one; otherwise the left one like the right one.
    package init(_ plan: ComparisonPlan, toLeft: Bool = false) {
        self.plan = plan
        self.toLeft = toLeft
        table = (toLeft ? plan.right : plan.left).name.sql
    }

    /// What values in these statements are written by.
    package static let settings = """
        SET LOCAL client_encoding = 'UTF8';
        SET LOCAL datestyle = 'ISO, YMD';
        SET LOCAL intervalstyle = postgres;
        SET LOCAL timezone = 'UTC';
        SET LOCAL extra_float_digits = 1;
        SET LOCAL bytea_output = hex;
        SET LOCAL lc_monetary = 'C';
        SET LOCAL check_function_bodies = off;
        """

    package func statements(_ difference: RowDifference) -> [Statement] {
        let (old, new) = toLeft ? (difference.right, difference.left) : (difference.left, difference.right)
        switch (old, new) {
        case (let old?, nil): return [Statement(isRemoval: true, text: delete(old, copies: difference.copies))]
        case (nil, let new?):
            return Array(
                repeating: Statement(isRemoval: false, text: insert(new)),
                count: max(0, difference.copies)
            )
        case (let old?, let new?):
            if let update = update(old, new) { return [Statement(isRemoval: false, text: update)] }
            return [
                Statement(isRemoval: true, text: delete(old, copies: 1)),
                Statement(isRemoval: false, text: insert(new)),
            ]
        case (nil, nil): return []
        }
    }

    package func insert(_ row: [String?]) -> String {
        let written = zip(plan.columns, row).filter { !$0.0.isGenerated }
        let names = SQLText.identifiers(written.map(\.0.name))
        let overriding = plan.columns.contains(where: \.isAlwaysIdentity) ? " OVERRIDING SYSTEM VALUE" : ""
        let values = written.map { SQLText.literal($0.1) }.joined(separator: ", ")
        return "INSERT INTO \(table) (\(names))\(overriding) VALUES (\(values));"
    }

    /// Nil where a column cannot be changed.
    private func update(_ old: [String?], _ new: [String?]) -> String? {
        let changed = plan.columns.indices.filter { index in
            index < old.count && index < new.count && !RowDifference.areSame(old[index], new[index])
                && !plan.columns[index].isGenerated
        }
        if changed.contains(where: { plan.columns[$0].isAlwaysIdentity }) { return nil }
        guard !changed.isEmpty else { return "" }
        let settings = changed.map {
            "\(SQLText.identifier(plan.columns[$0].name)) = \(SQLText.literal(new[$0]))"
        }
        return "UPDATE \(table) SET \(settings.joined(separator: ", ")) WHERE \(condition(old));"
    }

    private func delete(_ row: [String?], copies: Int) -> String {
        guard plan.key.isEmpty else { return "DELETE FROM \(table) WHERE \(condition(row));" }
        // Rows that are alike can be told apart only by their places.
        return "DELETE FROM \(table) WHERE ctid = ANY (ARRAY(SELECT ctid FROM \(table) WHERE \(condition(row)) "
            + "LIMIT \(copies)));"
    }

    private func condition(_ row: [String?]) -> String {
        if plan.key.isEmpty {
            return zip(plan.columns, row).map { column, value -> String in
                let name = SQLText.identifier(column.name)
                guard let value else { return "\(name) IS NULL" }
                // Not every type can be compared; its text can. A cast to text would not give it as it is printed:
                // `true` for `t`, and nothing of the blanks of char(n). To format, null is an empty text.
                return "format('%s', \(name)) = \(SQLText.literal(value))"
                    + (value.isEmpty ? " AND \(name) IS NOT NULL" : "")
            }.joined(separator: " AND ")
        }
        return zip(plan.key, plan.keyValues(row)).map { name, value in
            "\(SQLText.identifier(name)) = \(SQLText.literal(value))"
        }.joined(separator: " AND ")
    }
}
