import ArchiveModel
import Testing

struct SchemaDifferenceTests {
    private static func object(
        _ kind: SchemaObject.Kind,
        _ name: String,
        parent: String? = nil,
        _ definition: String = "",
        change: String? = nil
    ) -> SchemaObject {
        SchemaObject(
            kind,
            parent: parent,
            name: name,
            definition: definition,
            create: "create \(name) \(definition)",
            drop: "drop \(name)",
            change: change
        )
    }

    @Test func whatGoesWithATableIsNotSaidAgain() {
        let table = Self.object(.table, "public.old", parent: "public.old")
        let column = Self.object(.column, "public.old.id", parent: "public.old")
        let index = Self.object(.index, "public.old_pkey", parent: "public.old")
        let lost = SchemaDifference.between([table, column, index], [])
        #expect(lost.filter { !$0.isImplied && $0.kind != .table }.isEmpty)
        #expect(SchemaDifference.statements(lost).before == ["drop public.old"])
        // The other way round it is made with its columns, and its index after the rows.
        let made = SchemaDifference.statements(lost.map(\.reversed))
        #expect(made.before == ["create public.old "])
        #expect(made.after == ["create public.old_pkey "])
    }

    @Test func aChangeIsMadeInPlaceWhereItCanBe() {
        let left = [
            Self.object(.column, "t.a", parent: "t", "integer", change: "alter t.a integer"),
            Self.object(.index, "t_a", parent: "t", "(a)"),
        ]
        let right = [
            Self.object(.column, "t.a", parent: "t", "bigint", change: "alter t.a bigint"),
            Self.object(.index, "t_a", parent: "t", "(a, b)"),
        ]
        let statements = SchemaDifference.statements(SchemaDifference.between(left, right))
        #expect(statements.before == ["drop t_a", "alter t.a bigint"])
        #expect(statements.after == ["create t_a (a, b)"])
        #expect(SchemaDifference.between(left, left).isEmpty)
    }

    /// To Swift these are the same texts, to PostgreSQL two names.
    @Test func namesThatLookAlikeAreOthers() {
        let composed = Self.object(.table, "caf\u{E9}", parent: "caf\u{E9}")
        let decomposed = Self.object(.table, "cafe\u{301}", parent: "cafe\u{301}")
        #expect(SchemaDifference.between([composed], [composed, decomposed]).map(\.difference) == [.onlyRight])
        #expect(SchemaDifference.between([composed], [decomposed]).count == 2)
        #expect(TableName("public", "caf\u{E9}") != TableName("public", "cafe\u{301}"))
        let left = Self.object(.column, "t.a", parent: "t", "DEFAULT '\u{E9}'")
        let right = Self.object(.column, "t.a", parent: "t", "DEFAULT 'e\u{301}'")
        #expect(SchemaDifference.between([left], [right]).map(\.difference) == [.changed])
    }
}
