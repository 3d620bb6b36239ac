import ArchiveEngine
import ArchiveModel
import ArgumentParser
import WALFormat

struct FindCommand: ContainerCommand {
    static let configuration = CommandConfiguration(
        commandName: "find",
        abstract: "Find a mistake: what was dropped, deleted or truncated, and how to get it back.",
        discussion: """
            Newest first: when, what, which transaction, and under each the commands that undo it, look at the moment \
            just before, or make a clone of it. Names are taken as people write them: in any case, with or without \
            schema and database; tables that are no more are found too. Without a kind it is all that loses something, \
            and restore points; of a table also what rewrote it.

            Deletes and updates are found from 100 rows of a table in one transaction on. 'wal_archive events' lists \
            every kind of event.

            EXAMPLES
              pgarchive find
              pgarchive find --dropped orders
              pgarchive find --deleted shop.orders --since '2 hours ago'
              pgarchive find --truncated
              pgarchive find --xid 74921
              pgarchive find --restore-point 'before*'

            SEE ALSO
              undo, psql, wal_archive events, clone create
            """
    )

    @Flag(help: "Tables and databases that were dropped.")
    var dropped = false

    @Flag(help: "Rows that were deleted.")
    var deleted = false

    @Flag(help: "Rows that were updated.")
    var updated = false

    @Flag(help: "Tables that were emptied by TRUNCATE.")
    var truncated = false

    @Option(help: ArgumentHelp("What this transaction did.", valueName: "xid"))
    var xid: String?

    @Option(
        help: ArgumentHelp("Restore points of this name; * and ? match.", valueName: "name"),
        completion: .custom { words, _, _ in Completions.restorePoints(words) }
    )
    var restorePoint: String?

    @Option(help: ArgumentHelp("Not earlier than this; anything that 'date --date' understands.", valueName: "time"))
    var since: String?

    @Option(help: ArgumentHelp("Not later than this.", valueName: "time"))
    var until: String?

    @Option(
        name: [.customShort("n"), .long],
        help: ArgumentHelp("At most so many, the newest; 0 for all.", valueName: "count")
    )
    var limit = 10

    @Argument(
        help: ArgumentHelp("Of this table only; * and ? match.", valueName: "table"),
        completion: .custom { words, _, _ in
            Completions.tables(words, EventSearch.losses.subtracting(["restore-point"]))
        }
    )
    var table: String?

    @OptionGroup var global: GlobalOptions

    func validate() throws {
        if limit < 0 { throw ValidationError("--limit is 0 or more") }
        if let xid { _ = try TargetRequest.transaction(xid) }
        if restorePoint != nil, table != nil || dropped || deleted || updated || truncated {
            throw ValidationError("a restore point is of no table: give --restore-point alone, or with a time")
        }
    }

    func run(in container: Container) throws {
        let filter = try filter()
        var search = try search(filter, in: container)
        let unnamed = toBeNamed(search)
        var interrupted: ArchiveError?
        if !unnamed.isEmpty {
            let interruption = try Interruption()
            let none = search.found.isEmpty ? "none" : "none later"
            render.remark(
                "\(none) is known by name: looking at "
                    + "\(HumanText.count(min(unnamed.count, EventLook.most), "event")) of unnamed tables, in throwaway "
                    + "servers, which takes a moment"
            )
            do {
                _ = try global.withProgress { progress in
                    try EventLook(container, progress: progress, interruption: interruption)
                        .resolve(unnamed) { [render] in render.warning($0) }
                }
                search = try self.search(filter, in: container)
            } catch {
                // What is known is worth having.
                guard !search.found.isEmpty else { throw error }
                render.warning("the later ones could not be looked at: \((error as? ArchiveError)?.what ?? "\(error)")")
                if let error = error as? ArchiveError, error.code == .interrupted { interrupted = error }
            }
        }
        if search.found.isEmpty, let xid {
            return try transaction(try TargetRequest.transaction(xid), in: container)
        }
        let rows = search.found.map(FoundRow.init)
        try render.list(rows, name: \.event.id.description) { palette in
            rows.isEmpty ? nothing(search) : rows.map { $0.text(palette) }.joined(separator: "\n")
        }
        if let interrupted { throw interrupted }
        if search.hasMore { render.remark("earlier ones not shown: --limit 0 shows all") }
        if search.found.contains(where: { $0.named.isUnknown }) {
            render.remark("names that are not known: 'pgarchive wal_archive events --resolve-names' looks them up")
        }
        if let table, !search.unnamed.isEmpty {
            render.warning(
                "\(HumanText.count(search.unnamed.count, "event")) of tables whose names are not known may be of "
                    + "'\(table)': 'pgarchive wal_archive events --resolve-names' looks them up"
            )
        }
    }

    /// Those that may be what is looked for, which are looked at, and remembered.
    ///
    /// A name that is nearly one is a mistyped one. Where some are found, only a few later ones: who made a mistake
    /// means the last.
    private func toBeNamed(_ search: EventSearch) -> [UnnamedEvent] {
        guard let newest = search.found.first?.named.event else { return search.nearest == nil ? search.unnamed : [] }
        let later = search.unnamed.filter { ($0.timeline, $0.start) > (newest.timeline, newest.start) }
        return later.count <= 3 ? later : []
    }

    private func filter() throws -> EventFilter {
        var filter = EventFilter()
        filter.since = try since.map(TimeInput.resolve)
        filter.until = try until.map(TimeInput.resolve)
        if let since = filter.since, let until = filter.until, since > until {
            throw ArchiveError(.usage, "--since is later than --until", hint: "swap them")
        }
        filter.table = table
        filter.transactionID = try xid.map(TargetRequest.transaction)
        filter.restorePoint = restorePoint
        filter.limit = limit == 0 ? nil : limit
        var kinds: Set<String> = []
        if dropped { kinds.formUnion(["drop", "database-drop"]) }
        if deleted { kinds.insert("mass-delete") }
        if updated { kinds.insert("mass-update") }
        if truncated { kinds.insert("truncate") }
        if restorePoint != nil { kinds = ["restore-point"] }
        if kinds.isEmpty, xid == nil {
            kinds = EventSearch.losses
            if table != nil { kinds.insert("rewrite") }
        }
        filter.kinds = kinds.isEmpty ? nil : kinds
        return filter
    }

    private func search(_ filter: EventFilter, in container: Container) throws -> EventSearch {
        try global.withProgress { progress in
            try ArchiveContents.use(
                container,
                for: "find",
                glance: true,
                progress: progress,
                say: { render.warning($0) }
            ) {
                try EventSearch.run(filter, in: $0)
            }
        }
    }

    private func nothing(_ search: EventSearch) -> String {
        guard let table else { return "nothing found\n" }
        return "nothing of the kind happened to '\(table)'\n"
            + (search.nearest.map { "did you mean '\($0)'?\n" } ?? "")
    }

    /// One that did nothing of note is found by its end.
    private func transaction(_ id: UInt32, in container: Container) throws {
        let request = try TargetRequest(TargetOptions.parse(["--xid", "\(id)"]), otherwise: .latest)
        let plan = try request.plan(in: container, for: "find", global)
        let row = FoundTransaction(
            transactionID: id,
            time: plan.lastTransactionTime,
            end: plan.stop,
            commands: [
                CommandHint.command("psql --xid \(id) --exclusive"),
                CommandHint.command("clone create before-\(id) --xid \(id) --exclusive --start"),
            ]
        )
        try render.show([row]) { row.text($0) }
    }
}

/// A transaction without an event, as it is shown.
struct FoundTransaction: Encodable {
    let transactionID: UInt32
    let time: PostgresTime?
    let end: LSN
    let commands: [String]

    func text(_ palette: Palette) -> String {
        let when = time.map(HumanText.instantSeconds) ?? "-"
        return palette.bold("\(when)  end of transaction \(transactionID)") + "\n"
            + "  up to \(end)\n" + commands.map { "    \($0)\n" }.joined()
    }
}

/// What was found, as it is shown.
struct FoundRow: Encodable {
    let event: EventRow
    /// Whether the state before it can be had.
    let isReachable: Bool
    let commands: [String]

    init(_ found: FoundEvent) {
        event = EventRow(found.named)
        isReachable = found.isReachable
        commands = found.isReachable ? Self.commands(found) : []
    }

    private static func commands(_ found: FoundEvent) -> [String] {
        let event = found.named.event
        let timeline = found.timeline.map { " --timeline \($0)" } ?? ""
        let name = "before-\(event.start)".lowercased().replacing("/", with: "-")
        let database = found.named.database.map { " " + ShellText.word($0) } ?? ""
        switch event.kind {
        case .restorePoint:
            return [
                CommandHint.command("psql --lsn \(event.start)\(timeline)"),
                CommandHint.command("clone create \(name) --lsn \(event.start)\(timeline) --start"),
            ]
        case .drop, .truncate, .massDelete:
            return [
                CommandHint.command("undo --event \(event.start)\(timeline) --into upstream"),
                CommandHint.command("psql --before \(event.start)\(timeline)\(database)"),
                CommandHint.command("clone create \(name) --before \(event.start)\(timeline) --start"),
            ]
        default:
            return [
                CommandHint.command("psql --before \(event.start)\(timeline)\(database)"),
                CommandHint.command("clone create \(name) --before \(event.start)\(timeline) --start"),
            ]
        }
    }

    func text(_ palette: Palette) -> String {
        let when = event.time.map(HumanText.instantSeconds) ?? "-"
        let transaction = event.transactionID == 0 ? "" : "transaction \(event.transactionID), "
        let timeline = isReachable ? "" : "; no snapshot is older, so the state before it cannot be had"
        return palette.bold("\(when)  \(sentence)") + "\n" + "  \(transaction)\(event.id)\(timeline)\n"
            + commands.map { "    \($0)\n" }.joined()
    }

    private var sentence: String {
        let database = event.database.map { " in \($0)" } ?? ""
        let rows = event.rows.map { "\($0) rows " } ?? ""
        return switch event.kind {
        case "drop": "dropped \(event.what)\(database)"
        case "truncate": "truncated \(event.what)\(database)"
        case "rewrite": "rewrote \(event.what)\(database)"
        case "mass-delete": "deleted \(rows)of \(event.what)\(database)"
        case "mass-update": "updated \(rows)of \(event.what)\(database)"
        case "database-drop": "dropped database \(event.what)"
        case "restore-point": "restore point '\(event.what)'"
        default: "\(event.kind) \(event.what)\(database)"
        }
    }
}
