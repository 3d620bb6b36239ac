import ArchiveEngine
import ArchiveModel
import ArgumentParser
import WALFormat
import WALStore

struct WALArchiveEventsCommand: ContainerCommand {
    static let configuration = CommandConfiguration(
        commandName: "events",
        abstract: "List drops, truncates, mass deletes and other events.",
        discussion: """
            What happened to tables and databases, out of the WAL, with names as they were at that moment; newest \
            last. What was rolled back is not there. The ID is a WAL position: 'clone create NAME --before ID' makes a \
            clone of the state just before. Where the archive has several timelines, TL is the event's; what is not on \
            the way to the newest one takes --timeline TL as well.

            KINDS
              drop, truncate         tables that were dropped or emptied
              rewrite                VACUUM FULL, CLUSTER, ALTER TABLE with all rows anew
              delete, update         100 rows of a table or more in one transaction
              database, tablespace   created or dropped (also: database-drop, …)
              restore-point          pg_create_restore_point
              parameter-change, full-page-writes-change, timeline-switch
              checkpoint             shown only when asked for

            Names come from the standby's catalogs, which are read every ten seconds or so. A table that was created \
            and dropped between two readings has none that is known, and is shown by its number. With \
            --resolve-names its name is looked up in a clone of the moment just before, which is removed again, and \
            remembered.

            EXAMPLES
              pgarchive wal_archive events --since '2 hours ago' --kind drop,truncate
              pgarchive wal_archive events --table orders
              pgarchive wal_archive events --output json | jq -r '.[] | .id + " " + .kind'

            SEE ALSO
              wal_archive window, clone create
            """
    )

    @Option(help: ArgumentHelp("Not earlier than this; anything that 'date --date' understands.", valueName: "time"))
    var since: String?

    @Option(help: ArgumentHelp("Not later than this.", valueName: "time"))
    var until: String?

    @Option(
        help: ArgumentHelp(
            "Of this table: its name in any case, with or without schema and database; * and ? match.",
            valueName: "table"
        )
    )
    var table: String?

    @Option(help: ArgumentHelp("Of these kinds, with commas between.", valueName: "kinds"))
    var kind: String?

    @Option(
        name: [.customShort("n"), .long],
        help: ArgumentHelp("At most so many, the newest; 0 for all.", valueName: "count")
    )
    var limit = 100

    @Flag(name: .customLong("resolve-names"), help: "Look names up that are not known; takes seconds for each.")
    var resolveNames = false

    @OptionGroup var global: GlobalOptions

    func validate() throws {
        if limit < 0 { throw ValidationError("--limit is 0 or more") }
        _ = try kinds()
    }

    private func kinds() throws -> Set<String>? {
        guard let kind else { return nil }
        var kinds: Set<String> = []
        for word in kind.split(separator: ",").map({ $0.filter { $0 != " " }.lowercased() }) {
            guard let found = EventFilter.words.first(where: { $0.word == word || $0.word + "s" == word }) else {
                let known = EventFilter.words.map(\.word)
                let nearest = Spelling.nearest(to: word, among: known).map { "; did you mean '\($0)'?" } ?? ""
                throw ValidationError("'\(word)' is no kind of event\(nearest) (\(known.joined(separator: ", ")))")
            }
            kinds.formUnion(found.kinds)
        }
        return kinds
    }

    func run(in container: Container) throws {
        var filter = EventFilter()
        filter.since = try since.map(TimeInput.resolve)
        filter.until = try until.map(TimeInput.resolve)
        filter.kinds = try kinds()
        filter.table = table
        filter.limit = limit == 0 ? nil : limit
        if let since = filter.since, let until = filter.until, since > until {
            throw ArchiveError(.usage, "--since is later than --until", hint: "swap them")
        }
        var list = try find(filter, in: container)
        if resolveNames, !list.unknown.isEmpty {
            let interruption = try Interruption()
            let left = try global.withProgress { progress in
                try EventLook(container, progress: progress, interruption: interruption)
                    .resolve(list.unknown) { [render] in render.warning($0) }
            }
            if left.count > 0 {
                render.remark(
                    "\(HumanText.count(left.count, "event")) not looked at; the same command goes on with them"
                )
            }
            list = try find(filter, in: container)
        }
        let rows = list.events.map(EventRow.init)
        let withTimelines = try container.walDirectory.timelines().count > 1
        try render.list(rows, name: \.id.description) { Self.table(rows, withTimelines: withTimelines).text($0) }
        remark(on: list)
    }

    private func find(_ filter: EventFilter, in container: Container) throws -> EventList {
        try global.withProgress { progress in
            try ArchiveContents.use(container, for: "events", progress: progress, say: { render.warning($0) }) {
                try EventList.find(filter, in: $0)
            }
        }
    }

    private func remark(on list: EventList) {
        if list.hasMore { render.remark("earlier events not shown: --limit 0 shows all") }
        let lookUp = resolveNames ? "" : ": --resolve-names looks them up"
        if let table, !list.unnamed.isEmpty {
            // An answer that may not be all of it says so, also where remarks are not wanted.
            render.warning(
                "\(HumanText.count(list.unnamed.count, "event")) of tables whose names are not known may be of "
                    + "'\(table)'\(lookUp)"
            )
        } else if !list.unknown.isEmpty, !resolveNames {
            render.remark(
                "\(HumanText.count(list.unknown.count, "event")) of tables whose names are not known\(lookUp)"
            )
        }
    }

    static func table(_ rows: [EventRow], withTimelines: Bool = false) -> TableText {
        var table = TableText(
            (withTimelines ? [("TL", .right)] : []) + [
                ("ID", .left), ("TIME", .left), ("XID", .right), ("KIND", .left), ("ROWS", .right),
                ("DATABASE", .left), ("WHAT", .left),
            ],
            whenEmpty: "no events"
        )
        for row in rows {
            let isLoss = ["drop", "truncate", "mass-delete", "database-drop"].contains(row.kind)
            let timeline: [TableText.Cell] = withTimelines ? [.init("\(row.timeline)")] : []
            let cells: [TableText.Cell] = [
                .init("\(row.id)"),
                .init(row.time.map(HumanText.instantSeconds) ?? "-"),
                .init(row.transactionID == 0 ? "-" : "\(row.transactionID)"),
                .init(row.kind, isLoss ? .warning : .plain),
                .init(row.rows.map { "\($0)" } ?? ""),
                .init(row.database ?? ""),
                .init(row.what),
            ]
            table.add(timeline + cells)
        }
        return table
    }
}

/// An event as it is shown.
struct EventRow: Encodable {
    let id: LSN
    let end: LSN
    let timeline: TimelineID
    let time: PostgresTime?
    let transactionID: UInt32
    let kind: String
    let database: String?
    let databaseOID: UInt32?
    let tables: [String]
    let rows: UInt64?
    let what: String

    init(_ named: NamedEvent) {
        let event = named.event
        id = event.start
        end = event.end
        timeline = event.timeline
        time = event.time
        transactionID = event.transactionID
        kind = event.kind.name
        database = named.database ?? event.database.flatMap { $0 == 0 ? nil : "database \($0)" }
        databaseOID = event.database
        tables = named.objects
        var rows: UInt64?
        var files: [RelationFile] = []
        var what = Self.names(named.objects)
        switch event.kind {
        case .drop(let found), .truncate(let found), .rewrite(let found): files = found.removed
        case .massDelete(let file, let count), .massUpdate(let file, let count): (files, rows) = ([file], count)
        case .databaseCreate(let oid), .databaseDrop(let oid):
            what = named.database ?? "database \(oid)"
        case .tablespaceCreate(let oid, let path):
            what = (named.objects.first ?? "tablespace \(oid)") + (path.isEmpty ? "" : " at \(path)")
        case .tablespaceDrop(let oid): what = named.objects.first ?? "tablespace \(oid)"
        case .restorePoint(let name): what = name
        case .parameterChange(let change):
            what =
                "max_connections=\(change.maxConnections) max_worker_processes=\(change.maxWorkerProcesses) "
                + "max_wal_senders=\(change.maxWALSenders) "
                + "max_prepared_transactions=\(change.maxPreparedTransactions) "
                + "max_locks_per_transaction=\(change.maxLocksPerTransaction)"
                + (change.walLevel.map { " wal_level=\($0)" } ?? "")
        case .fullPageWritesChange(let isOn): what = isOn ? "on" : "off"
        case .timelineSwitch(let from, let to): what = "from \(from) to \(to)"
        case .checkpoint(let redo, let isShutdown): what = "redo \(redo)" + (isShutdown ? ", shutdown" : "")
        }
        if what.isEmpty, let file = files.first {
            what = "(file \(file.number) of database \(named.database ?? "\(file.database)"))"
        }
        self.rows = rows
        self.what = what
    }

    private static func names(_ names: [String]) -> String {
        names.count > 3
            ? names.prefix(3).joined(separator: ", ") + " and \(names.count - 3) more" : names.joined(separator: ", ")
    }
}
