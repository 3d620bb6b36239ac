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
            where its recovery ends. AGE is the time since it was made. SIZE is the space that it alone holds, counted \
            now and then while the container runs. USED is the time since somebody was connected. At EXPIRES it is \
            removed, unless it is protected or in use. A branch point has no port.

            EXAMPLES
              pgarchive clone list --status
              pgarchive clone list 'test-*' --quiet

            SEE ALSO
              clone status, clone create, clone alter, clone expire
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
        for damaged in try catalog.contents().damaged {
            render.warning("clone '\(damaged.name)' is not listed: \(damaged.problem)")
        }
        let space = CloneSpace.read(container)
        let rows = try catalog.matching(pattern).map { record in
            CloneRow(
                record,
                in: status ? container : nil,
                lastUsed: CloneUse.last(container, record),
                space: space[record.name]
            )
        }
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
        let hasOwner = rows.contains { $0.record.owner != nil }
        let hasNote = rows.contains { $0.record.note != nil }
        var table = TableText(
            [
                ("NAME", .left), ("PORT", .right), ("SNAPSHOT", .left), ("TARGET", .left), ("REACHED", .left),
                ("AGE", .right), ("SIZE", .right), ("USED", .right), ("EXPIRES", .left),
            ]
                + (withStatus ? [("STATUS", .left)] : [])
                + (hasOwner ? [("OWNER", .left)] : [])
                + (hasNote ? [("NOTE", .left)] : []),
            whenEmpty: whenEmpty
        )
        for row in rows {
            table.add(
                [
                    .init(row.record.name),
                    .init(row.record.isBranch ? "-" : "\(row.record.port)"),
                    .init(row.record.snapshot),
                    .init(row.target),
                    .init(row.reached),
                    .init(HumanText.age(of: row.record.createdAt, now: now)),
                    .init(row.space.map { HumanText.bytes($0.bytes) } ?? "-"),
                    .init(row.lastUsed.map { HumanText.age(of: $0, now: now) } ?? "-"),
                    row.expiry(now: now),
                ]
                    + (withStatus ? [row.cell] : [])
                    + (hasOwner ? [.init(row.record.owner ?? "")] : [])
                    + (hasNote ? [.init(row.record.note ?? "")] : [])
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
    let lastUsed: PostgresTime?
    /// Nil when it was not counted yet.
    let space: SnapshotSpace.Count?
    private let wasExamined: Bool

    /// Looks at the server when a container is given.
    init(
        _ record: CloneRecord,
        in container: Container?,
        lastUsed: PostgresTime? = nil,
        space: SnapshotSpace.Count? = nil
    ) {
        self.record = record
        self.lastUsed = lastUsed
        self.space = space
        self.processID = container.flatMap { CloneServer($0, record).running?.pid }
        self.wasExamined = container != nil
    }

    var isRunning: Bool { processID != nil }

    var target: String { record.targetTime.map(HumanText.instant) ?? record.requested }

    var reached: String {
        record.lastTransactionTime.map(HumanText.instantSeconds) ?? "\(record.stop)"
    }

    func expiry(now: PostgresTime) -> TableText.Cell {
        if record.isProtected { return "protected" }
        guard let end = record.keptUntil ?? record.expiresAt else { return .init("-", .faint) }
        guard end > now else { return .init("over", .warning) }
        return .init("in \(HumanText.duration(seconds: end.seconds(since: now)))")
    }

    var cell: TableText.Cell {
        if record.isBranch { return .init("branch point", .faint) }
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
        case lastUsedAt
        case ownBytes
        case ownBytesCountedAt
    }

    func encode(to encoder: any Encoder) throws {
        try record.encode(to: encoder)
        var container = encoder.container(keyedBy: Key.self)
        try container.encodeIfPresent(lastUsed, forKey: .lastUsedAt)
        try container.encodeIfPresent(space?.bytes, forKey: .ownBytes)
        try container.encodeIfPresent(space?.countedAt, forKey: .ownBytesCountedAt)
        guard wasExamined else { return }
        try container.encode(isRunning, forKey: .running)
        try container.encodeIfPresent(processID, forKey: .processID)
    }
}
