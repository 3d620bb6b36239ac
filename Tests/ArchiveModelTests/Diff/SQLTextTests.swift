import ArchiveModel
import Testing

struct SQLTextTests {
    @Test(arguments: [
        ("orders", "orders"), ("Orders", "\"Orders\""), ("order", "\"order\""), ("2nd", "\"2nd\""), ("a b", "\"a b\""),
        ("say \"so\"", "\"say \"\"so\"\"\""), ("_x1", "_x1"), ("", "\"\""), ("größe", "\"größe\""),
    ])
    func identifiers(_ name: String, _ text: String) {
        #expect(SQLText.identifier(name) == text)
    }

    @Test(
        arguments: [
            (nil, "NULL"), ("it's", "'it''s'"), ("a\\b", "E'a\\\\b'"), ("\\'", "E'\\\\'''"), ("", "''"),
        ] as [(String?, String)]
    )
    func literals(_ value: String?, _ text: String) {
        #expect(SQLText.literal(value) == text)
    }

    /// To Swift each of these is one character with the sign behind it.
    @Test(arguments: ["\u{301}", "\u{200C}", "\u{200D}", "\u{FE0F}"])
    func aSignThatCombinesHidesNoQuote(_ sign: String) {
        #expect(scalars(SQLText.literal("a'\(sign)b")) == scalars("'a''\(sign)b'"))
        #expect(scalars(SQLText.literal("a\\\(sign)b")) == scalars("E'a\\\\\(sign)b'"))
        #expect(scalars(SQLText.literal("\\'\(sign)")) == scalars("E'\\\\''\(sign)'"))
        #expect(scalars(SQLText.identifier("a\"\(sign)b")) == scalars("\"a\"\"\(sign)b\""))
        #expect(scalars("%\(sign)".replacingScalar("%", with: "%%")) == scalars("%%\(sign)"))
    }

    @Test(arguments: ["\n", "\r", "\r\n", "\u{B}", "\u{C}", "\n\u{301}", "\r\u{200D}"])
    func aCommentIsOneLine(_ lineBreak: String) {
        let comment = SQLText.comment("table \(lineBreak)DROP TABLE orders;")
        #expect(comment.hasPrefix("-- table "))
        #expect(comment.hasSuffix("DROP TABLE orders;"))
        #expect(comment.unicodeScalars.allSatisfy { $0.value >= 0x20 })
        let name = "a\(lineBreak)Z"
        let table = UndoTable(relation: 16400, was: TableName("public", name), kind: "r")
        for text in [UndoScript.beginning([name]), String(UndoScript.rowsBeginning(table, 1).dropFirst())] {
            let before = text.unicodeScalars.prefix { $0 != "Z" }
            #expect(before.allSatisfy { $0.value >= 0x20 })
        }
    }

    @Test func aNameDoesNotEndTheBlockThatItIsIn() {
        var table = UndoTable(relation: 16400, was: TableName("public", "a$pgarchive$b\n\nc"), kind: "r")
        table.rows = 5
        let text = UndoScript.rowsEnding(table, 1)
        #expect(text.contains("DO $pgarchive1$\n"))
        #expect(text.contains("END\n$pgarchive1$;\n"))
        #expect(text.contains("'there are not 5 rows of public.a$pgarchive$b\n\nc, as there were'"))
    }

    @Test(arguments: [
        ("shop", "\\connect shop"), ("My shop", "\\connect -reuse-previous=on \"dbname='My shop'\""),
        ("host=evil", "\\connect -reuse-previous=on \"dbname='host=evil'\""),
        ("it's \\ \"x\"", "\\connect -reuse-previous=on \"dbname='it\\'s \\\\ \"\"x\"\"'\""),
        ("a\nb", nil),
    ])
    func databases(_ name: String, _ text: String?) {
        #expect(SQLText.connect(name) == text)
    }

    @Test func arrays() {
        #expect(SQLText.array([]) == "{}")
        #expect(SQLText.array(["a b", "c\\\"d"]) == "{\"a b\",\"c\\\\\\\"d\"}")
    }

    private func scalars(_ text: String) -> [Unicode.Scalar] { Array(text.unicodeScalars) }

    @Test(arguments: [
        ("orders", true), ("ORDERS", true), ("public.orders", true), ("shop.orders", true),
        ("Shop.Public.Orders", true),
        ("\"orders\"", true), ("other.orders", false), ("order", false), ("other.public.orders", false),
    ])
    func tablesAsPeopleWriteThem(_ text: String, _ isMeant: Bool) throws {
        let choice = try #require(TableChoice(text))
        #expect(choice.matches(TableName("public", "orders"), in: "shop") == isMeant)
    }

    @Test func referredTablesComeFirst() {
        let (a, b, c) = (TableName("s", "a"), TableName("s", "b"), TableName("s", "c"))
        #expect(TableOrder.referredFirst([a, b, c], [a: [b], b: [c, b]]) == [c, b, a])
        // Those that refer to each other all come, once.
        #expect(TableOrder.referredFirst([a, b, c], [a: [b], b: [a]]) == [c, a, b])
    }
}
