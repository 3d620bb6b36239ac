import ArchiveEngine
import ArchiveModel
import ArgumentParser
import Platform
import WALFormat

struct SnapshotListCommand: ContainerCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "List snapshots, oldest first.",
        discussion: """
            COLUMNS
              TL, LSN          the timeline and the WAL position that the snapshot is at
              EARLIEST TARGET  the first moment that a clone of it can have
              DEBT             WAL that a clone of the snapshot's own moment has to replay;
                               ready: an image of it takes writes at once
              OWN, COUNTED     space that only this snapshot holds, and the count's age

            The space is counted in the background by the supervisor.

            EXAMPLES
              pgarchive snapshot list
              pgarchive snapshot list '20261121-*' --output json

            SEE ALSO
              snapshot create, snapshot delete, clone create
            """
    )

    @Argument(
        help: "A name, or a pattern with *, ? and [a-z]; put it in quotes. (default: all)",
        completion: .custom { words, _, _ in Completions.snapshots(words) }
    )
    var pattern: String?

    @OptionGroup var global: GlobalOptions

    func run(in container: Container) throws {
        let contents = try SnapshotCatalog(container).contents()
        for damaged in contents.damaged {
            render.warning("snapshot '\(damaged.name)' is not listed: \(damaged.problem)")
        }
        let records = contents.records.filter { record in
            pattern.map { Glob.matches($0, record.name) } ?? true
        }
        let space = SnapshotSpace.read(container)
        let images = ReadyImages(container)
        let rows = records.map { SnapshotRow(record: $0, space: space[$0.name], image: images.image(of: $0.name)) }
        let whenEmpty = pattern.map { "no snapshot matches '\($0)'" } ?? "no snapshots"
        try render.list(rows, name: \.record.name) { palette in
            Self.table(rows, whenEmpty: whenEmpty).text(palette)
        }
    }

    static func table(_ rows: [SnapshotRow], whenEmpty: String, now: PostgresTime = .now) -> TableText {
        var table = TableText(
            [
                ("NAME", .left), ("AGE", .right), ("TL", .right), ("LSN", .left), ("EARLIEST TARGET", .left),
                ("DEBT", .right), ("OWN", .right), ("COUNTED", .right),
            ],
            whenEmpty: whenEmpty
        )
        for row in rows {
            let record = row.record
            table.add([
                .init(record.name, record.live ? .plain : .warning),
                .init(HumanText.age(of: record.createdAt, now: now)),
                .init("\(record.timeline)"),
                .init("\(record.replayed)"),
                .init(HumanText.instantFullSecond(from: record.earliestTarget)),
                row.image == nil ? .init(HumanText.bytes(record.debtBytes)) : .init("ready", .good),
                .init(row.space.map { HumanText.bytes($0.bytes) } ?? "-"),
                .init(row.space.map { HumanText.age(of: $0.countedAt, now: now) + " ago" } ?? "-", .faint),
            ])
        }
        return table
    }
}

/// A snapshot with the space that only it holds, where that has been counted.
struct SnapshotRow: Encodable {
    let record: SnapshotRecord
    let space: SnapshotSpace.Count?
    var image: ReadyImage?

    private enum Key: String, CodingKey {
        case debtBytes
        case earliestTarget
        case ownBytes
        case ownCountedAt
        case readySince
    }

    func encode(to encoder: any Encoder) throws {
        try record.encode(to: encoder)
        var container = encoder.container(keyedBy: Key.self)
        try container.encode(record.debtBytes, forKey: .debtBytes)
        try container.encode(record.earliestTarget, forKey: .earliestTarget)
        try container.encodeIfPresent(space?.bytes, forKey: .ownBytes)
        try container.encodeIfPresent(space?.countedAt, forKey: .ownCountedAt)
        try container.encodeIfPresent(image?.madeAt, forKey: .readySince)
    }
}
