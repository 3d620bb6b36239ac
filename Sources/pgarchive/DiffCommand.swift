import ArchiveEngine
import ArchiveModel
import ArgumentParser
import PostgresLink

struct DiffCommand: ContainerCommand {
    static let configuration = CommandConfiguration(
        commandName: "diff",
        abstract: "Compare two moments, or a moment and the live upstream; exit 10 where they differ.",
        discussion: """
            The left side is a clone by its name, or a moment by a target of 'clone create'. The right side is the \
            upstream as it is now, unless --against or a second --at says otherwise. Compared are what the catalogs \
            define, the rows of all tables, and the sequences' positions. The servers do the work: they add up hashes \
            of ranges of rows, and only ranges that differ are read. Nothing is written anywhere.

            With --sql the standard output has statements that make the left side like the right one; with --reverse \
            the right one like the left one, which is what puts lost rows back. Read them before you run them.

            EXAMPLES
              pgarchive diff --at '10 minutes ago'
              pgarchive diff --at '10 minutes ago' --table shop.orders --rows 20
              pgarchive diff --at '10 minutes ago' --table orders --sql --reverse
              pgarchive diff --at '1 hour ago' --at '10 minutes ago'
              pgarchive diff early --against 'host=db2 user=postgres'

            SEE ALSO
              psql, dump, wal_archive events, clone create
            """
    )

    @Argument(
        help: "A running clone: the left side.",
        completion: .custom { words, _, _ in Completions.clones(words) }
    )
    var name: String?

    @OptionGroup var look: LookOptions

    @Option(
        help: ArgumentHelp(
            "The right side: a connection string, or a running clone's name. (default: the upstream)",
            valueName: "connection|name"
        ),
        completion: .custom { words, _, _ in Completions.clones(words) }
    )
    var against: String?

    @Option(help: ArgumentHelp("The right side: this instant; a second --at is the same.", valueName: "time"))
    var againstAt: String?

    @Option(
        help: ArgumentHelp(
            "Only this table: orders, public.orders, shop.orders or shop.public.orders. May be given again.",
            valueName: "table"
        )
    )
    var table: [String] = []

    @Option(
        help: ArgumentHelp("Only this database. May be given again. (default: all)", valueName: "database")
    )
    var database: [String] = []

    @Flag(help: "Compare what is defined, not the rows.")
    var schemaOnly = false

    @Option(help: ArgumentHelp("Show so many of each table's rows that differ.", valueName: "count"))
    var rows = 0

    @Flag(help: "Print statements that make the left side like the right one.")
    var sql = false

    @Flag(help: "With --sql: that make the right side like the left one.")
    var reverse = false

    @OptionGroup var global: GlobalOptions

    func validate() throws {
        let hasTarget = !look.target.hasNoTarget
        if name == nil, !hasTarget {
            throw ValidationError("which moment? Give a clone's name or a target, such as --at '10 minutes ago'")
        }
        let others = [against != nil, againstAt != nil, name != nil && hasTarget].count { $0 }
        if others > 1 { throw ValidationError("there is one right side: --against, --against-at or a second target") }
        if rows < 0 { throw ValidationError("--rows is 0 or more") }
        if reverse, !sql { throw ValidationError("--reverse goes with --sql") }
        for text in table where TableChoice(text) == nil {
            throw ValidationError("'\(text)' is no table's name; one looks like orders or shop.public.orders")
        }
    }

    /// Makes of a second --at the right side's.
    static func separated(_ words: [String]) -> [String] {
        guard words.first == "diff" else { return words }
        var words = words
        let own = words.prefix { $0 != "--" }
        let times = own.indices.filter { own[$0] == "--at" || own[$0].hasPrefix("--at=") }
        if times.count == 2 {
            words[times[1]] = "--against-at" + words[times[1]].dropFirst("--at".count)
        }
        return words
    }

    func run(in container: Container) throws {
        let interruption = try Interruption()
        let sides = try self.sides(in: container, interruption)
        defer {
            sides.left.close()
            sides.right.close()
        }
        render.remark("left:  \(sides.left.title)\nright: \(sides.right.title)")
        let script = sql ? try DiffScript(container, toLeft: reverse) : nil
        let report = try global.withProgress { progress in
            try compare(sides.left, sides.right, script, interruption, progress)
        }
        for (database, table) in report.unreadable {
            render.warning("the rows of \(database).\(table.name) are not compared: \(table.obstacle ?? "")")
        }
        if let script {
            try script.write(
                from: reverse ? sides.right.title : sides.left.title,
                to: reverse ? sides.left.title : sides.right.title
            )
            if report.hasDifferences { render.remark(report.table(Palette(isOn: false))) }
        } else {
            try render.show(report) { report.text($0) }
        }
        if report.hasDifferences || !report.unreadable.isEmpty { throw ExitCode(ErrorCode.findings.rawValue) }
    }

    private func sides(
        in container: Container,
        _ interruption: Interruption
    ) throws -> (left: DiffSide, right: DiffSide) {
        var moment: DiffSide?
        if !look.target.hasNoTarget { moment = try self.moment(try look.request(), in: container, interruption) }
        do {
            if let name {
                return (try .clone(name, in: container), try moment ?? self.other(in: container, interruption))
            }
            guard let moment else { throw ArchiveError(.usage, "no moment is given") }
            return (moment, try self.other(in: container, interruption))
        } catch {
            moment?.close()
            throw error
        }
    }

    private func other(in container: Container, _ interruption: Interruption) throws -> DiffSide {
        if let againstAt {
            var options = LookOptions()
            options.target = try TargetOptions.parse(["--at", againstAt])
            return try moment(
                TargetRequest(options.target, otherwise: .latest),
                in: container,
                interruption
            )
        }
        guard let against else { return try .upstream(of: container) }
        return against.contains("=") || against.contains("://")
            ? try .server(against) : try .clone(against, in: container)
    }

    private func moment(
        _ request: TargetRequest,
        in container: Container,
        _ interruption: Interruption
    ) throws -> DiffSide {
        let plan = try request.plan(in: container, for: "diff", global)
        let look = try global.withProgress { progress in
            try Look.open(
                container,
                plan,
                requested: request.text,
                keepSeconds: self.look.keep * 60,
                progress: progress,
                interruption: interruption
            )
        }
        return .look(look, request.text, in: container)
    }

    // MARK: - Comparing

    private func compare(
        _ left: DiffSide,
        _ right: DiffSide,
        _ script: DiffScript?,
        _ interruption: Interruption,
        _ progress: Progress
    ) throws -> DiffReport {
        var report = DiffReport(left: left.title, right: right.title)
        let mine = try left.databases().filter(isWanted)
        let others = try right.databases().filter(isWanted)
        report.onlyLeft = mine.filter { !others.contains($0) }
        report.onlyRight = others.filter { !mine.contains($0) }
        try checkDatabases(mine + others)
        var options = DatabaseComparison.Options()
        options.tables = table.compactMap(TableChoice.init)
        options.withRows = !schemaOnly
        options.examples = rows
        var names: [String] = []
        var isNoted = false
        for database in mine where others.contains(database) {
            let one = try left.connect(database)
            defer { one.cancelAndClose() }
            let other = try right.connect(database)
            defer { other.cancelAndClose() }
            let majors = [one, other].map { $0.serverVersion / 10_000 }
            if majors[0] != majors[1], !isNoted {
                isNoted = true
                render.remark("versions \(majors[0]) and \(majors[1]) may write the same view or rule differently")
            }
            let (mine, others) = (
                try ComparedDatabase(one, interruption: interruption),
                try ComparedDatabase(other, interruption: interruption)
            )
            if !table.isEmpty {
                names += try (mine.tables() + others.tables()).map { "\(database).\($0.name)" }
            }
            try script?.begin(database)
            let difference = try DatabaseComparison(mine, others, name: database, options).run(
                begins: { table in
                    progress.step("comparing \(database).\(table)")
                    try script?.begin(table)
                },
                row: script.map { script in { plan, row, isAlone in try script.add(plan, row, isAlone: isAlone) } }
            )
            try script?.end(difference)
            report.databases.append(difference)
        }
        try checkTables(report, names)
        return report
    }

    private func isWanted(_ name: String) -> Bool { database.isEmpty || database.contains(name) }

    private func checkDatabases(_ known: [String]) throws {
        for name in database where !known.contains(name) {
            throw ArchiveError(.notFound, "there is no database '\(name)' on either side")
        }
    }

    /// A name that means no table is more likely wrong than a table that is gone from both sides.
    private func checkTables(_ report: DiffReport, _ names: [String]) throws {
        for choice in table.compactMap(TableChoice.init) {
            let isThere = report.databases.contains { database in
                database.tables.contains { choice.matches($0.name, in: database.database) }
                    || database.notCompared.contains { choice.matches($0.name, in: database.database) }
                    || database.schema.contains { $0.kind == .table }
            }
            if isThere || schemaOnly { continue }
            let known = names + names.compactMap { $0.split(separator: ".").last.map(String.init) }
            throw ArchiveError(
                .notFound,
                "there is no table '\(choice.text)' on either side",
                hint: Spelling.nearest(to: choice.text.lowercased(), among: known).map { "did you mean '\($0)'?" }
            )
        }
    }
}
