import ArchiveEngine
import ArchiveModel
import Testing
import WALFormat

@Suite("Names of events")
struct EventNamesTests {
    /// A table with the files 100, 101 (TOAST) and 102 (its index), and one with the file 200.
    private static func index() throws -> IndexDatabase {
        let index = try IndexDatabase(":memory:")
        let names: [(UInt32, String, KnownName.Kind)] = [
            (10, "old", .table), (11, "old", .toast), (20, "kept", .table),
        ]
        for (oid, name, kind) in names {
            try index.insert(
                KnownName(
                    database: 5,
                    relation: oid,
                    file: oid == 20 ? 200 : 90 + oid,
                    schema: "public",
                    name: name,
                    kind: kind,
                    seenFrom: LSN(100)
                )
            )
        }
        return index
    }

    private func dropped(files: [UInt32], oids: [UInt32] = []) throws -> NamedEvent {
        let removed = files.map { RelationFile(tablespace: 1663, database: 5, number: $0) }
        return try EventNames(Self.index()).named(
            SurveyEvent(
                start: LSN(1000),
                end: LSN(1100),
                timeline: TimelineID(1),
                time: nil,
                transactionID: 700,
                database: 5,
                kind: .drop(.init(removed: removed, dropped: oids, locked: [], created: []))
            )
        )
    }

    @Test("a table with its TOAST table, whose index needs no name")
    func known() throws {
        let one = try dropped(files: [100, 101, 102])
        #expect(one.objects == ["public.old"] && !one.isUnknown)
        // By its oid, where its file is another one meanwhile.
        let rewritten = try dropped(files: [300], oids: [20])
        #expect(rewritten.objects == ["public.kept"] && !rewritten.isUnknown)
        let both = try dropped(files: [100, 101, 102, 200], oids: [10, 11, 12, 20])
        #expect(both.objects == ["public.old", "public.kept"] && !both.isUnknown)
    }

    @Test("one that is known among several says nothing of the others")
    func partly() throws {
        let two = try dropped(files: [100, 101, 102, 300])
        #expect(two.objects == ["public.old"] && two.isUnknown)
        #expect(try dropped(files: [100, 101, 102, 300], oids: [10, 11, 12, 30]).isUnknown)
        #expect(try dropped(files: [300]).isUnknown)
    }

    @Test("a name that was looked up for one moment on another timeline is not taken for what is there since")
    func anotherTimeline() throws {
        let index = try Self.index()
        let name = { (text: String, from: UInt64, to: UInt64?) in
            KnownName(
                database: 5,
                relation: 20,
                file: 200,
                schema: "public",
                name: text,
                kind: .table,
                seenFrom: LSN(from),
                seenTo: to.map { LSN($0) }
            )
        }
        try index.insert(name("renamed", 500, 500))
        let at = { (position: UInt64) in
            try EventNames(index).named(
                SurveyEvent(
                    start: LSN(position),
                    end: LSN(position + 50),
                    timeline: TimelineID(1),
                    time: nil,
                    transactionID: 700,
                    database: 5,
                    kind: .massDelete(relation: .init(tablespace: 1663, database: 5, number: 200), rows: 100)
                )
            ).objects
        }
        try #expect(at(500) == ["public.renamed"])
        try #expect(at(400) == ["public.kept"] && at(600) == ["public.kept"])
    }

    @Test("a name that holds spaces or dots is found by all of it, alone and with schema and database, and by no part")
    func formsOfNames() {
        let forms = { (schema: String, name: String, kind: KnownName.Kind, database: String?) in
            EventFilter.forms(
                of: KnownName(
                    database: 5,
                    relation: 20,
                    file: 200,
                    schema: schema,
                    name: name,
                    kind: kind,
                    seenFrom: LSN(100)
                ),
                database: database
            )
        }
        #expect(
            forms("public", "Audit log", .table, "My shop") == [
                "audit log", "public.audit log", "my shop.audit log", "my shop.public.audit log",
            ]
        )
        #expect(forms("public", "audit.log", .table, nil) == ["audit.log", "public.audit.log"])
        #expect(forms("shop", "orders", .toast, "db") == ["orders", "shop.orders", "db.orders", "db.shop.orders"])
        #expect(forms("shop", "orders_pkey", .index, nil) == ["orders_pkey", "shop.orders_pkey"])
        #expect(forms("", "fast", .tablespace, nil) == ["fast"])
    }
}
