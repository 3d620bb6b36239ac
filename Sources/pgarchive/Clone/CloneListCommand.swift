import ArchiveEngine
import ArchiveModel
import ArgumentParser
import Platform
import PostgresLink
import WALFormat

struct CloneListCommand: ContainerCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "List clones.",
        discussion: """
            TARGET is what was asked for. REACHED is the time of the last commit in the clone, or the WAL position \
            where its recovery ends. AGE is the time since it was made.

            EXAMPLES
              pgarchive clone list --status
              pgarchive clone list 'test-*' --quiet

            SEE ALSO
              clone status, clone create
            """
    )

    @Argument(
        help: "A name, or a pattern with *, ? and [a-z]; put it in quotes. (default: all)",
        completion: .custom { words, _, _ in Completions.clones(words) }
    )
    var pattern: String?

    @Flag(help: "Show for each whether it is running.")
    var status = false

    @OptionGroup var global: GlobalOptions

    func run(in container: Container) throws {
        let catalog = CloneCatalog(container)
        for (name, problem) in try catalog.contents().damaged {
            render.warning("clone '\(name)' is not listed: \(problem)")
        }
        let rows = try catalog.matching(pattern).map { CloneRow($0, in: status ? container : nil) }
        let whenEmpty = pattern.map { "no clone matches '\($0)'" } ?? "no clones"
        try render.list(rows, name: \.record.name) { palette in
            Self.table(rows, withStatus: status, whenEmpty: whenEmpty).text(palette)
        }
    }

    static func table(
        _ rows: [CloneRow],
        withStatus: Bool,
        whenEmpty: String,
        now: PostgresTime = .now
    ) -> TableText {
        var table = TableText(
            [
                ("NAME", .left), ("PORT", .right), ("SNAPSHOT", .left), ("TARGET", .left), ("REACHED", .left),
                ("AGE", .right),
            ]
                + (withStatus ? [("STATUS", .left)] : []),
            whenEmpty: whenEmpty
        )
        for row in rows {
            table.add(
                [
                    .init(row.record.name),
                    .init("\(row.record.port)"),
                    .init(row.record.snapshot),
                    .init(row.target),
                    .init(row.reached),
                    .init(HumanText.age(of: row.record.createdAt, now: now)),
                ] + (withStatus ? [row.cell] : [])
            )
        }
        return table
    }
}

/// A clone with what is known of its server.
struct CloneRow: Encodable {
    let record: CloneRecord
    /// Nil when it was not looked at.
    let processID: Int32?
    private let wasExamined: Bool

    /// Looks at the server when a container is given.
    init(_ record: CloneRecord, in container: Container?) {
        self.record = record
        self.processID = container.flatMap { CloneServer($0, record).running?.pid }
        self.wasExamined = container != nil
    }

    var isRunning: Bool { processID != nil }

    var target: String { record.targetTime.map(HumanText.instant) ?? record.requested }

    var reached: String {
        record.lastTransactionTime.map(HumanText.instantSeconds) ?? "\(record.stop)"
    }

    var cell: TableText.Cell {
        if let processID {
            let recovering = record.state == .created
            return .init(
                "\(recovering ? "recovering" : "running"), process \(processID)",
                recovering ? .warning : .good
            )
        }
        return .init(record.state == .created ? "not started yet" : "stopped", .faint)
    }

    private enum Key: String, CodingKey {
        case running
        case processID
    }

    func encode(to encoder: any Encoder) throws {
        try record.encode(to: encoder)
        guard wasExamined else { return }
        var container = encoder.container(keyedBy: Key.self)
        try container.encode(isRunning, forKey: .running)
        try container.encodeIfPresent(processID, forKey: .processID)
    }
}
