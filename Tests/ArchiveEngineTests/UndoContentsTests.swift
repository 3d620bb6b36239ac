import ArchiveEngine
import ArchiveModel
import Testing

/// What of pg_dump's contents is taken by an undo, as `pg_restore --list` prints them.
@Suite("The contents of an undo")
struct UndoContentsTests {
    @Test func foreignKeysAreLeftOutWithTheirComments() {
        let kept = [
            ";     Owner: ", "3210; 2606 16388 CONSTRAINT public orders orders_pkey postgres",
            "3216; 0 0 COMMENT public CONSTRAINT orders_pkey ON orders postgres",
            "3217; 0 0 COMMENT public INDEX lines_order_fkey my clerk",
            "3218; 1259 16400 INDEX my schema an index my clerk",
            // A constraint of another kind has the key's name, in another table or schema.
            "3222; 0 0 COMMENT public CONSTRAINT lines_order_fkey ON orders my clerk",
            "3223; 0 0 COMMENT my schema CONSTRAINT lines_order_fkey ON lines my clerk",
        ]
        let others = [
            "3215; 2606 16390 FK CONSTRAINT public lines lines_order_fkey postgres",
            "3219; 2606 16391 FK CONSTRAINT my schema the lines the key my clerk",
            "3220; 0 0 COMMENT public CONSTRAINT lines_order_fkey ON lines my clerk",
            "3221; 0 0 COMMENT my schema CONSTRAINT \"the key\" ON \"the lines\" my clerk",
        ]
        let text = (kept + others).map { "\($0)\n" }.joined()
        let keys = [
            (TableName("public", "lines"), "lines_order_fkey"), (TableName("my schema", "the lines"), "the key"),
        ].map { table, name in
            UndoForeignKey(
                name: name,
                table: table,
                references: TableName("public", "orders"),
                definition: "",
                isOfOther: false
            )
        }
        let rest = Undo.withoutForeignKeys(text, keys)
        #expect(rest == kept.map { "\($0)\n" }.joined())
    }
}
