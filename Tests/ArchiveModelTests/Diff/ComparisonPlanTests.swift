import ArchiveModel
import Testing

struct ComparisonPlanTests {
    private static func shape(
        _ columns: [(String, String?)],
        key: [String],
        encoding: String = "UTF8"
    ) -> TableShape {
        TableShape(
            name: TableName("public", "orders"),
            columns: columns.map { TableShape.Column(name: $0.0, type: "text", order: $0.1) },
            key: key,
            encoding: encoding
        )
    }

    @Test func rangesFollowTheKeyWhereBothOrderItAlike() {
        let left = Self.shape([("id", "23"), ("note", nil)], key: ["id"])
        #expect(ComparisonPlan(left, left).ranges == .ofKey)
        let other = Self.shape([("id", "25 C"), ("note", nil)], key: ["id"])
        #expect(ComparisonPlan(left, other).ranges == .ofKeyHash)
        let unknown = Self.shape([("id", nil), ("note", nil)], key: ["id"])
        #expect(ComparisonPlan(unknown, unknown).ranges == .ofKeyHash)
        let keyless = Self.shape([("id", "23"), ("note", nil)], key: [])
        #expect(ComparisonPlan(left, keyless).ranges == .ofRowHash)
    }

    @Test func onlyColumnsOfBothAreCompared() {
        let left = Self.shape([("id", "23"), ("old", nil), ("note", nil)], key: ["id"])
        let right = Self.shape([("note", nil), ("id", "23"), ("new", nil)], key: ["id"])
        #expect(ComparisonPlan(left, right).columns.map(\.name) == ["id", "note"])
    }

    @Test func statementsMakeOneSideLikeTheOther() {
        let shape = Self.shape([("id", "23"), ("note", nil)], key: ["id"])
        let plan = ComparisonPlan(shape, shape)
        let changed = RowDifference(.changed, left: ["1", "it's"], right: ["1", nil])
        #expect(
            RowStatements(plan).statements(changed).map(\.text)
                == ["UPDATE public.orders SET note = NULL WHERE id = '1';"]
        )
        #expect(
            RowStatements(plan, toLeft: true).statements(changed).map(\.text)
                == ["UPDATE public.orders SET note = 'it''s' WHERE id = '1';"]
        )
        // The same to Swift, and not to PostgreSQL.
        let composed = RowDifference(.changed, left: ["1", "e\u{301}"], right: ["1", "\u{E9}"])
        #expect(
            RowStatements(plan).statements(composed).map { Array($0.text.utf8) }
                == [Array("UPDATE public.orders SET note = '\u{E9}' WHERE id = '1';".utf8)]
        )
        let lost = RowDifference(.onlyLeft, left: ["2", nil])
        #expect(
            RowStatements(plan).statements(lost) == [
                RowStatements.Statement(isRemoval: true, text: "DELETE FROM public.orders WHERE id = '2';")
            ]
        )
        #expect(
            RowStatements(plan, toLeft: true).statements(lost) == [
                RowStatements.Statement(
                    isRemoval: false,
                    text: "INSERT INTO public.orders (id, note) VALUES ('2', NULL);"
                )
            ]
        )
    }

    @Test func alwaysIdentityAndGeneratedColumns() {
        var shape = Self.shape([("id", "23"), ("number", nil), ("sum", nil)], key: ["id"])
        shape.columns[1].isAlwaysIdentity = true
        shape.columns[2].isGenerated = true
        let changed = RowDifference(.changed, left: ["1", "5", "9"], right: ["1", "6", "10"])
        #expect(
            RowStatements(ComparisonPlan(shape, shape)).statements(changed).map(\.text) == [
                "DELETE FROM public.orders WHERE id = '1';",
                "INSERT INTO public.orders (id, number) OVERRIDING SYSTEM VALUE VALUES ('1', '6');",
            ]
        )
    }

    @Test func rowsWithoutAKeyAreRemovedByPlace() {
        let shape = Self.shape([("a", "23"), ("b", nil)], key: [])
        let lost = RowDifference(.onlyLeft, left: ["1", nil], copies: 2)
        #expect(
            RowStatements(ComparisonPlan(shape, shape)).statements(lost).map(\.text) == [
                "DELETE FROM public.orders WHERE ctid = ANY (ARRAY(SELECT ctid FROM public.orders "
                    + "WHERE format('%s', a) = '1' AND b IS NULL LIMIT 2));"
            ]
        )
        let empty = RowDifference(.onlyLeft, left: ["", "t"])
        #expect(
            RowStatements(ComparisonPlan(shape, shape)).statements(empty).map(\.text) == [
                "DELETE FROM public.orders WHERE ctid = ANY (ARRAY(SELECT ctid FROM public.orders "
                    + "WHERE format('%s', a) = '' AND a IS NOT NULL AND format('%s', b) = 't' LIMIT 1));"
            ]
        )
    }
}
