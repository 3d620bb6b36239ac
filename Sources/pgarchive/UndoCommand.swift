import ArchiveEngine
import ArchiveModel
import ArgumentParser
import Glibc
import Platform
import WALFormat

struct UndoCommand: ContainerCommand {
    static let configuration = CommandConfiguration(
        commandName: "undo",
        abstract: "Put back what a DROP, DELETE or TRUNCATE took.",
        discussion: """
            Finds the last such transaction, looks at the moment just before it in a throwaway server, and shows what \
            it found. --into puts it back, in one transaction; --to-sql writes the statements instead, to read first. \
            Without either, nothing is done.

            A dropped table comes with its data, indexes, constraints, sequences' positions, grants, triggers, and \
            with the partitions, views and foreign keys that went with it. Where its name is taken again it comes \
            beside it, as NAME_recovered_HHMMSS, or as --as says. Of a DELETE or a TRUNCATE only the rows that are \
            missing are put back: what was written since then stays as it is. --to-sql writes them for the server of \
            --into, where nothing is changed, or, without it, for one with the names and columns as they were then.

            CONNECTION is what psql takes; 'upstream' is the container's own. The database is that of the mistake \
            unless the connection names one. TABLE is a name as people write it, in any case, with or without schema \
            and database. EVENT is the position that 'find' shows.

            EXAMPLES
              pgarchive undo --drop orders
              pgarchive undo --drop shop.orders --to-sql orders.sql --into upstream
              pgarchive undo --delete orders --into upstream
              pgarchive undo --truncate orders --into 'host=db1 dbname=shop' --yes
              pgarchive undo --event 0/3A1B2C8 --into upstream

            EXIT CODES
              1  the server refused it: nothing was put back
              4  the moment cannot be reached, or nobody said yes
              5  interrupted: nothing was put back
              6  no such event
              7  the file or the name exists

            SEE ALSO
              find, dump, psql, wal_archive events
            """
    )

    @Option(
        help: ArgumentHelp("A table that was dropped.", valueName: "table"),
        completion: .custom { words, _, _ in Completions.tables(words, of: .drop) }
    )
    var drop: String?

    @Option(
        help: ArgumentHelp("A table of which rows were deleted.", valueName: "table"),
        completion: .custom { words, _, _ in Completions.tables(words, of: .delete) }
    )
    var delete: String?

    @Option(
        help: ArgumentHelp("A table that was emptied by TRUNCATE.", valueName: "table"),
        completion: .custom { words, _, _ in Completions.tables(words, of: .truncate) }
    )
    var truncate: String?

    @Option(
        help: ArgumentHelp("What happened at this position: 'find' shows it.", valueName: "event"),
        completion: .custom { words, _, _ in Completions.mistakes(words) }
    )
    var event: String?

    @Option(help: ArgumentHelp("The server to put it back into.", valueName: "connection"))
    var into: String?

    @Option(
        name: .customLong("to-sql"),
        help: ArgumentHelp("Write the statements to this file, for psql; - for the standard output.", valueName: "file")
    )
    var toSQL: String?

    @Option(help: ArgumentHelp("Another name for the dropped table.", valueName: "name"))
    var `as`: String?

    @Flag(name: [.short, .long], help: "Do not ask.")
    var yes = false

    @OptionGroup var timelineOption: TimelineOption

    @Option(help: ArgumentHelp("Minutes for which the throwaway server stays.", valueName: "minutes"))
    var keep = 5.0

    @OptionGroup var global: GlobalOptions

    func validate() throws {
        let given = [drop, delete, truncate].compactMap(\.self)
        guard given.count <= 1, given.isEmpty != (event == nil) else {
            throw ValidationError("say what to undo: one of --drop, --delete, --truncate or --event")
        }
        guard keep >= 0, keep <= 1440 else { throw ValidationError("--keep takes minutes, from 0 to 1440") }
        if let name = given.first, Glob.isPattern(name) {
            throw ValidationError(
                "undo takes one table's name, not a pattern: '\(name)'; 'find' takes patterns, --event what it shows"
            )
        }
        if `as` != nil, drop == nil, event == nil { throw ValidationError("--as goes with a dropped table") }
        if let event { _ = try TargetRequest.lsn(event) }
        _ = try TargetRequest.timeline(timelineOption.timeline)
    }

    func run() throws {
        let container = try global.locator.open(global.selector)
        // The file is the caller's, whose directory the owner may not be able to write to.
        guard let toSQL, toSQL != "-" else {
            try Privileges.becomeOwner(of: container)
            return try run(in: container, file: nil)
        }
        let path = FileTree.absolute(toSQL)
        let isNew = !FileTree.exists(path)
        let file = try Self.file(toSQL)
        do {
            try Privileges.becomeOwner(of: container)
            try run(in: container, file: file.raw)
        } catch {
            // Never half of it.
            try? file.truncate(to: 0)
            if isNew { try? FileTree.removeFile(path) }
            throw error
        }
    }

    func run(in container: Container) throws { try run(in: container, file: nil) }

    private static func file(_ path: String) throws -> Descriptor {
        let file = try Descriptor.open(path, O_RDWR | O_CREAT, mode: 0o600)
        guard try file.size() == 0 else {
            throw ArchiveError(.conflict, "'\(path)' exists already", hint: "give another name, or remove it")
        }
        return file
    }

    private func run(in container: Container, file: Int32?) throws {
        let interruption = try Interruption()
        let subject = try subject(in: container, interruption)
        let undo = try begin(container, subject, interruption)
        defer { undo.close() }
        if toSQL == nil { try undo.target?.requireRights(for: undo.plan, superuser: container.identity.superuser) }
        let view = UndoView(subject, undo.plan, into: undo.target?.title)
        for remark in undo.plan.remarks { render.warning(remark) }
        if toSQL != nil {
            render.remark(view.text)
            try global.withProgress { progress in
                let output = Descriptor(owning: dup(file ?? STDOUT_FILENO))
                try undo.write(into: output, view.lines, progress: progress)
                if file != nil { try output.sync() }
            }
            guard let toSQL, toSQL != "-" else { return }
            let server = ShellText.word(undo.target?.psqlArgument ?? subject.database)
            try render.done(
                view,
                "written to '\(toSQL)'; this puts it back: psql -d \(server) -f \(ShellText.word(toSQL))"
            )
        } else if into != nil {
            render.remark(view.text)
            try confirm(interruption)
            let outcome = try global.withProgress { try undo.putBack(view.lines, progress: $0) }
            for warning in outcome.warnings { render.warning(warning) }
            var done = view
            done.done = outcome.done
            try render.done(done, outcome.done.joined(separator: "\n"))
        } else {
            try render.show(view) { _ in view.text }
            render.remark(
                "nothing was done: --into upstream puts it back, --to-sql FILE writes the statements to read first"
            )
        }
    }

    private func subject(in container: Container, _ interruption: Interruption) throws -> UndoSubject {
        try global.withProgress { progress in
            progress.step("looking for what happened")
            let search = try UndoSearch(
                container,
                timeline: TargetRequest.timeline(timelineOption.timeline),
                look: EventLook(container, progress: progress, interruption: interruption)
            ) { [render] in render.warning($0) }
            if let drop { return try search.last(.drop, of: drop) }
            if let delete { return try search.last(.delete, of: delete) }
            if let truncate { return try search.last(.truncate, of: truncate) }
            return try search.at(TargetRequest.lsn(event ?? ""))
        }
    }

    private func begin(_ container: Container, _ subject: UndoSubject, _ interruption: Interruption) throws -> Undo {
        let event = subject.first.event
        let timeline = try TargetRequest.timeline(timelineOption.timeline)
        let target = try into.map { try UndoTarget($0, database: subject.database, container: container) }
        if toSQL == nil { try target?.check() }
        let resolver = TargetResolver(
            container,
            index: TargetIndex.of(container, for: "undo") { [render] in render.warning($0) }
        )
        func open(_ wanted: Target, _ text: String, alone: Bool) throws -> Look {
            let plan = try global.withProgress { progress in
                progress.step("looking for the target in the WAL")
                return try resolver.resolve(wanted, timeline: timeline)
            }
            for warning in plan.warnings { render.warning(warning) }
            render.remark(ClonePlanView(name: "look", requested: text, plan: plan).summary)
            return try global.withProgress { progress in
                try Look.open(
                    container,
                    plan,
                    requested: text,
                    keepSeconds: keep * 60,
                    alone: alone,
                    progress: progress,
                    interruption: interruption
                )
            }
        }
        let request = Undo.Request(
            container,
            subject,
            target: target,
            name: `as`,
            openBefore: { try open(.before(event.start), "before \(event.start)", alone: $0) },
            openAfter: { try open(.lsn(event.start), "after \(event.start)", alone: false) }
        )
        return try Undo.begin(request, interruption: interruption)
    }

    private func confirm(_ interruption: Interruption) throws {
        if yes { return }
        guard Terminal.isTerminal(STDIN_FILENO) else {
            throw ArchiveError(
                .refused,
                "nobody is there to be asked, so nothing was put back",
                hint: "--yes puts it back without asking"
            )
        }
        StandardError.write("Put it back? [y/N] ")
        while try Poll.wait(for: STDIN_FILENO, timeoutMilliseconds: 200) == false { try interruption.check() }
        let answer = (readLine() ?? "").lowercased()
        guard answer == "y" || answer == "yes" else {
            throw ArchiveError(.refused, "nothing was put back", hint: "answer 'y' to put it back")
        }
    }
}

/// What would be, or was, put back.
struct UndoView: Encodable {
    let kind: UndoKind
    let event: LSN
    let transactionID: UInt32
    let time: PostgresTime?
    let database: String
    let into: String?
    let plan: UndoPlan
    /// What the server said of it.
    var done: [String] = []

    init(_ subject: UndoSubject, _ plan: UndoPlan, into: String?) {
        kind = subject.kind
        event = subject.first.event.start
        transactionID = subject.first.event.transactionID
        time = subject.first.event.time
        database = subject.database
        self.into = into
        self.plan = plan
    }

    /// For the script's head and for people.
    var lines: [String] {
        let when = time.map { " at \(HumanText.instantSeconds($0))" } ?? ""
        var lines = [
            "\(kind.past) in database \(database)\(when), by transaction \(transactionID), position \(event)"
        ]
        for table in plan.tables {
            let rows = table.rows.map {
                table.hasOthers ? ", its deleted rows" : ", \(HumanText.count(Int($0), "row"))"
            }
            let name = table.name == table.was ? "" : " as \(table.name)"
            lines.append("  \(table.what) \(table.was)\(name)\(rows ?? "")")
        }
        for index in plan.indexes { lines.append("  \(index)") }
        for key in plan.foreignKeys {
            lines.append(
                "  foreign key \(key.name) of \(key.table), referencing \(key.references)"
                    + (key.isOfOther ? " (went by CASCADE)" : "")
            )
        }
        if let into { lines.append("into \(into)") }
        return lines
    }

    var text: String { lines.joined(separator: "\n") + "\n" }
}
