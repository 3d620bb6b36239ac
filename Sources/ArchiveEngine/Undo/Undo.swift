package import ArchiveModel
import Glibc
package import Platform
import PostgresLink
import WALFormat

/// Takes what a mistake took from the moment just before it, and puts it back.
package final class Undo {
    package let subject: UndoSubject
    package private(set) var plan: UndoPlan
    package let target: UndoTarget?

    private let container: Container
    private let work: String
    private let look: Look
    private let interruption: Interruption?
    private let encoding: String
    /// All foreign keys of the tables, as these are called in the look.
    private let keys: [UndoForeignKey]
    /// Of the moment just behind it, where rows have to be told apart by it.
    private var after: Look?
    private let openAfter: () throws -> Look

    private init(
        _ request: Request,
        _ plan: UndoPlan,
        _ look: Look,
        encoding: String,
        keys: [UndoForeignKey],
        interruption: Interruption?
    ) throws {
        let names = Dictionary(plan.tables.map { ($0.was, $0.name) }) { first, _ in first }
        self.keys = keys.map { key in
            var key = key
            key.table = names[key.table] ?? key.table
            return key
        }
        subject = request.subject
        self.plan = plan
        target = request.target
        container = request.container
        self.look = look
        self.encoding = encoding
        self.interruption = interruption
        work = container.paths.file(.undoWork, of: getpid())
        openAfter = request.openAfter
        try FileTree.removeTree(work)
        try FileTree.makeDirectory(work, mode: 0o700)
    }

    /// What is wanted.
    package struct Request {
        package var container: Container
        package var subject: UndoSubject
        /// Where it will be put, as far as that is known: names that are taken there are not used.
        package var target: UndoTarget?
        /// What a dropped table is to be called.
        package var name: String?
        package var openBefore: (_ alone: Bool) throws -> Look
        package var openAfter: () throws -> Look

        package init(
            _ container: Container,
            _ subject: UndoSubject,
            target: UndoTarget?,
            name: String?,
            openBefore: @escaping (_ alone: Bool) throws -> Look,
            openAfter: @escaping () throws -> Look
        ) {
            self.container = container
            self.subject = subject
            self.target = target
            self.name = name
            self.openBefore = openBefore
            self.openAfter = openAfter
        }
    }

    /// Looks at the moment before, and plans.
    package static func begin(_ request: Request, interruption: Interruption?) throws -> Undo {
        var look = try request.openBefore(request.subject.kind == .drop && request.name != nil)
        do {
            var (plan, encoding) = try read(request, look, interruption)
            let keys = plan.foreignKeys
            if plan.kind == .drop {
                let taken = try request.target?.taken(plan.tables.map(\.was)) ?? []
                if let names = try UndoNames(plan, request.subject, wanted: request.name, taken: taken) {
                    if request.name == nil {
                        look.close()
                        look = try request.openBefore(true)
                        plan = try read(request, look, interruption).0
                    }
                    try names.carryOut(
                        on: SQLConnection(
                            LocalLink.connectionString(
                                container: request.container,
                                port: look.port,
                                database: request.subject.database
                            ),
                            applicationName: "pgarchive undo"
                        )
                    )
                    plan = names.applied(to: plan)
                    for name in taken.sorted(by: { "\($0)" < "\($1)" }) {
                        plan.remarks.append("there is a \(name) again, which stays as it is")
                    }
                    try names.requireFree(request.target, plan)
                }
            } else {
                try fit(&plan, to: request.target)
            }
            return try Undo(request, plan, look, encoding: encoding, keys: keys, interruption: interruption)
        } catch {
            look.close()
            throw error
        }
    }

    private static func read(
        _ request: Request,
        _ look: Look,
        _ interruption: Interruption?
    ) throws -> (UndoPlan, encoding: String) {
        let reading = try UndoReading(
            request.container,
            request.subject,
            port: look.port,
            interruption: interruption
        )
        defer { reading.sql.close() }
        return (try reading.plan(), try reading.sql.value("SHOW server_encoding") ?? "UTF8")
    }

    /// Only columns that are there still are written.
    private static func fit(_ plan: inout UndoPlan, to target: UndoTarget?) throws {
        guard let target else { return }
        for index in plan.tables.indices {
            let table = plan.tables[index]
            guard let columns = try target.columns(of: table.was) else {
                throw ArchiveError(
                    .refused,
                    "there is no table \(table.was) any more in which rows could be put back",
                    hint: "'pgarchive find --dropped \(table.was)'; 'pgarchive dump --before' takes the whole table"
                )
            }
            let gone = table.columns.filter { !columns.contains($0.name) }.map(\.name)
            guard !gone.isEmpty else { continue }
            plan.tables[index].columns.removeAll { !columns.contains($0.name) }
            if !Set(gone).isDisjoint(with: table.key) { plan.tables[index].key = [] }
            plan.remarks.append(
                "\(table.was) has no longer: \(gone.joined(separator: ", ")); their values are left out"
            )
        }
    }

    package func close() {
        after?.close()
        look.close()
        try? FileTree.removeTree(work)
    }

    // MARK: - The script

    /// - Parameter lines: what it is, for who reads it.
    package func write(into file: borrowing Descriptor, _ lines: [String], progress: Progress) throws {
        try put(UndoScript.beginning(lines), file)
        switch plan.kind {
        case .drop: try writeTables(to: file, progress)
        case .truncate, .delete: try writeRows(to: file, progress)
        }
        try put(UndoScript.ending, file)
    }

    private func writeTables(to file: borrowing Descriptor, _ progress: Progress) throws {
        try put(UndoScript.schemas(plan) + UndoScript.quietly, file)
        let tables = plan.tables.flatMap { ["--table", $0.name.sql] }
        if !tables.isEmpty {
            progress.step("taking the definitions")
            try tool("pg_dump", ["--section=pre-data"] + tables, file.raw)
            progress.step("taking \(plan.rows) rows")
            try tool("pg_dump", ["--section=data"] + tables, file.raw)
            progress.step("taking indexes and constraints")
            let archive = FilePath.join(work, "post-data")
            try tool("pg_dump", ["--section=post-data", "--format=custom", "--file=\(archive)"] + tables)
            let contents = try tool("pg_restore", ["--list", archive]).output
            let wanted = FilePath.join(work, "wanted")
            try DurableFile.replace(wanted, text: Self.withoutForeignKeys(contents, keys))
            try tool("pg_restore", ["--use-list=\(wanted)", "--file=-", archive], file.raw)
        }
        try put(UndoScript.aloud + UndoScript.tablesEnding(plan), file)
    }

    /// Foreign keys, with their comments, have rules of their own here.
    ///
    /// - Parameter keys: them.
    package static func withoutForeignKeys(_ contents: String, _ keys: [UndoForeignKey]) -> String {
        // `3216; 0 0 COMMENT public CONSTRAINT lines_order_fkey ON lines postgres`; another table's may have that name.
        let comments = keys.flatMap { key in
            forms(key.name).flatMap { name in
                forms(key.table.name).map { " COMMENT \(SQLText.line(key.table.schema)) CONSTRAINT \(name) ON \($0) " }
            }
        }
        return contents.split(separator: "\n").filter { line in
            if line.hasPrefix(";") { return true }
            // `3215; 2606 16390 FK CONSTRAINT public lines lines_order_fkey postgres`
            let entry = line.split(separator: " ", maxSplits: 4).dropFirst(3)
            if entry.first == "FK", entry.last?.hasPrefix("CONSTRAINT ") == true { return false }
            guard entry.first == "COMMENT" else { return true }
            return !comments.contains { line.utf8.contains($0.utf8) }
        }.map { "\($0)\n" }.joined()
    }

    /// A name as pg_dump may write it there.
    private static func forms(_ name: String) -> [String] { [name, SQLText.identifier(name)].map(SQLText.line) }

    private func writeRows(to file: borrowing Descriptor, _ progress: Progress) throws {
        let triggers = UndoScript.triggers(plan.tables)
        try put("SET client_encoding = '\(encoding)';\nSET datestyle = ISO;\n" + triggers.off, file)
        for (index, table) in plan.tables.enumerated() {
            progress.step("taking \(table.rows ?? 0) rows of \(table.was)")
            try put(UndoScript.rowsBeginning(table, index + 1), file)
            try copy(table.columns, of: table, where: table.condition, look, file.raw)
            try put(UndoScript.copyEnd, file)
            if table.hasOthers, !table.key.isEmpty, let condition = table.condition {
                if after == nil { after = try openAfter() }
                if let after {
                    try put(UndoScript.keptBeginning(table, index + 1), file)
                    let stayed = condition + " OR " + condition.replacing("xmax", with: "xmin", maxReplacements: 1)
                    try copy(
                        table.columns.filter { table.key.contains($0.name) },
                        of: table,
                        where: stayed,
                        after,
                        file.raw
                    )
                    try put(UndoScript.keptEnding(table, index + 1), file)
                }
            }
            try put(UndoScript.rowsEnding(table, index + 1), file)
        }
        try put(triggers.on, file)
    }

    private func copy(
        _ columns: [UndoTable.Column],
        of table: UndoTable,
        where condition: String?,
        _ look: Look,
        _ output: Int32
    ) throws {
        let names = columns.map { SQLText.identifier($0.name) }.joined(separator: ", ")
        let text =
            "COPY (SELECT \(names) FROM \(table.source)" + (condition.map { " WHERE \($0)" } ?? "") + ") TO STDOUT"
        try tool("psql", ["-X", "-q", "-v", "ON_ERROR_STOP=1", "-c", text], output, look)
    }

    private func put(_ text: String, _ file: borrowing Descriptor) throws {
        try file.writeAll(Array(text.utf8))
    }

    @discardableResult
    private func tool(
        _ name: String,
        _ arguments: [String],
        _ output: Int32? = nil,
        _ look: Look? = nil
    ) throws -> UndoTool.Words {
        let shell = try LocalShell(
            container,
            port: (look ?? self.look).port,
            environment: ServerLaunch.standardEnvironment(),
            database: subject.database,
            tool: name,
            readOnly: true
        )
        var environment = shell.environment
        environment["PGCLIENTENCODING"] = encoding
        environment["PGOPTIONS", default: ""] +=
            " -c search_path= -c extra_float_digits=3 -c datestyle=ISO -c intervalstyle=postgres -c bytea_output=hex"
        do {
            return try UndoTool(installation: try container.installation(), work: work, interruption: interruption)
                .run(name, arguments, environment: environment, output: output)
        } catch let trouble as ToolTrouble {
            throw ArchiveError(
                .failed,
                "\(trouble.tool) on the moment before failed (\(trouble.status))",
                hint: "'pgarchive psql --before \(subject.first.event.start) \(subject.database)' looks there",
                details: trouble.lines.suffix(10)
            )
        }
    }

    // MARK: - Putting it back

    /// What the server said of it.
    package struct Outcome: Encodable, Sendable {
        package var done: [String]
        package var warnings: [String]
    }

    /// Puts it back into the target, in one transaction.
    package func putBack(_ lines: [String], progress: Progress) throws -> Outcome {
        guard let target else { throw ArchiveError(.usage, "there is no server to put it back into") }
        let script = FilePath.join(work, "script.sql")
        try write(into: Descriptor.open(script, O_RDWR | O_CREAT | O_TRUNC), lines, progress: progress)
        progress.step("putting it back")
        let (argument, environment) = target.forTool
        do {
            let words = try UndoTool(
                installation: try container.installation(),
                work: work,
                interruption: interruption
            ).run(
                "psql",
                ["-X", "-q", "-A", "-t", "-w", "-v", "ON_ERROR_STOP=1", "-f", script, "-d", argument],
                environment: environment
            )
            return Outcome(
                done: words.output.split(separator: "\n").map(String.init),
                warnings: words.error.split(separator: "\n").map { Self.withoutPlace(String($0)) }
            )
        } catch let trouble as ToolTrouble {
            throw ArchiveError(
                .failed,
                "nothing was put back: the server refused it",
                hint: "--into takes another role's connection; --to-sql FILE writes the statements, to be changed and "
                    + "run by hand",
                details: trouble.lines.suffix(10).map(Self.withoutPlace)
            )
        }
    }

    /// `psql:/some/file:12: WARNING:  …` → `…`.
    private static func withoutPlace(_ line: String) -> String {
        guard line.hasPrefix("psql:"), let end = line.firstRange(of: ": ") else { return line }
        let rest = line[end.upperBound...]
        return rest.hasPrefix("WARNING:  ") ? String(rest.dropFirst("WARNING:  ".count)) : String(rest)
    }
}
