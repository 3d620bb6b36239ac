import ArchiveTesting
import Foundation
import WALFormat

/// Random transactions as WAL, with the events that a simple model expects of them.
struct SurveyWorkload {
    static let size = SegmentSize(bytes: 1 << 20) ?? .standard
    private static let database: UInt32 = 5

    private(set) var craft: WALCraft
    private(set) var expected: [SurveyEvent] = []
    private var random: SeededGenerator
    private var open: [Transaction] = []
    private var nextID: UInt32
    private var nextFile: UInt32 = 30_000
    private var clock = PostgresTime(rawValue: 800_000_000_000_000)
    private(set) var commits: UInt64 = 0
    private(set) var aborts: UInt64 = 0

    private struct Transaction {
        let id: UInt32
        var children: [UInt32] = []
        var rows: [UInt32: [UInt32: (deletes: UInt64, updates: UInt64)]] = [:]
        var fate = Fate.rowsOnly
    }

    private enum Fate {
        case rowsOnly
        case drop(UInt32)
        case truncate(UInt32, new: UInt32, filled: Bool)
    }

    init(seed: UInt64, steps: Int = 2500) {
        random = SeededGenerator(seed: seed)
        craft = WALCraft(start: LSN(0x300_0000), segmentSize: Self.size)
        // Some begin just before the ids wrap around.
        nextID = seed % 3 == 0 ? UInt32.max - 100 : 700
        for _ in 0..<steps { step() }
        while !open.isEmpty { end(0, commits: Bool.random(using: &random)) }
        look()
        craft.filler(byteCount: 100)
    }

    private mutating func pick<T>(_ from: [T]) -> T { from[Int.random(in: 0..<from.count, using: &random)] }

    private mutating func newID() -> UInt32 {
        nextID = nextID == UInt32.max ? 3 : nextID + 1
        return nextID
    }

    private mutating func step() {
        let action = Int.random(in: 0..<100, using: &random)
        if open.isEmpty || action < 8 && open.count < 6 {
            open.append(Transaction(id: newID()))
            return
        }
        let chosen = Int.random(in: 0..<open.count, using: &random)
        switch action {
        case 8..<60: change(chosen)
        case 60..<68:
            let child = newID()
            open[chosen].children.append(child)
        case 68..<72: rollBackChild(chosen)
        case 72..<78: craft.filler(byteCount: Int.random(in: 24...9000, using: &random))
        case 78: craft.filler(byteCount: Int.random(in: 9000...400_000, using: &random))
        case 79: craft.switchSegment()
        case 80..<82: look()
        case 82: vanish(chosen)
        case 83..<86: fate(chosen)
        case 86..<90: end(chosen, commits: false)
        default: end(chosen, commits: true)
        }
    }

    private mutating func change(_ chosen: Int) {
        let id = pick([open[chosen].id] + open[chosen].children)
        let file = UInt32.random(in: 20_000...20_003, using: &random)
        let opcode: UInt8 = pick([0x00, 0x10, 0x20, 0x40])
        for _ in 0..<Int.random(in: 1...70, using: &random) {
            craft.heap(opcode, id, file)
            var rows = open[chosen].rows[id, default: [:]][file, default: (0, 0)]
            if opcode == 0x10 { rows.deletes += 1 }
            if opcode == 0x20 || opcode == 0x40 { rows.updates += 1 }
            open[chosen].rows[id, default: [:]][file] = rows
        }
    }

    private mutating func rollBackChild(_ chosen: Int) {
        guard !open[chosen].children.isEmpty else { return }
        let place = Int.random(in: 0..<open[chosen].children.count, using: &random)
        let child = open[chosen].children.remove(at: place)
        open[chosen].rows[child] = nil
        craft.end(child, opcode: 0x20, at: tick())
        aborts += 1
    }

    private mutating func fate(_ chosen: Int) {
        guard case .rowsOnly = open[chosen].fate else { return }
        let file = nextFile
        nextFile += 2
        let id = open[chosen].id
        craft.lock(id, relation: file)
        if Bool.random(using: &random) {
            // A row of pg_class, and one of pg_type, that were there before.
            craft.heap(0x10, id, 1259, item: UInt16(truncatingIfNeeded: file))
            craft.heap(0x10, id, 1247, item: UInt16(truncatingIfNeeded: file))
            open[chosen].fate = .drop(file)
        } else {
            let filled = Bool.random(using: &random)
            craft.create(id, file + 1)
            if filled { craft.heap(0x00, id, file + 1) }
            open[chosen].fate = .truncate(file, new: file + 1, filled: filled)
        }
    }

    /// The server says which transactions it has.
    private mutating func look() {
        var oldest = nextID == UInt32.max ? 3 : nextID + 1
        for one in open where Int32(bitPattern: one.id &- oldest) < 0 { oldest = one.id }
        craft.running(oldest: oldest)
    }

    /// As if the server had crashed under it: it has no end, and a later look does not have it.
    private mutating func vanish(_ chosen: Int) {
        open.remove(at: chosen)
        look()
    }

    private mutating func tick() -> PostgresTime {
        clock = PostgresTime(rawValue: clock.rawValue + Int64.random(in: -50_000...200_000, using: &random))
        return clock
    }

    private mutating func end(_ chosen: Int, commits isCommit: Bool) {
        let transaction = open.remove(at: chosen)
        let time = tick()
        var removed: [UInt32] = []
        switch transaction.fate {
        case .rowsOnly: break
        case .drop(let file), .truncate(let file, _, _): removed = [file]
        }
        let isPrepared = Int.random(in: 0..<4, using: &random) == 0
        let record = craft.end(
            transaction.id,
            opcode: isCommit ? (isPrepared ? 0x30 : 0x00) : (isPrepared ? 0x40 : 0x20),
            children: transaction.children,
            removed: isCommit ? removed : [],
            at: time
        )
        if isCommit { commits += 1 } else { aborts += 1 }
        guard isCommit else { return }
        var total: [UInt32: (deletes: UInt64, updates: UInt64)] = [:]
        for (_, files) in transaction.rows {
            for (file, rows) in files {
                total[file, default: (0, 0)].deletes += rows.deletes
                total[file, default: (0, 0)].updates += rows.updates
            }
        }
        var kinds: [SurveyEvent.Kind] = []
        for (file, rows) in total {
            if rows.deletes >= 100 { kinds.append(.massDelete(relation: Self.file(file), rows: rows.deletes)) }
            if rows.updates >= 100 { kinds.append(.massUpdate(relation: Self.file(file), rows: rows.updates)) }
        }
        switch transaction.fate {
        case .rowsOnly: break
        case .drop(let file):
            kinds.append(.drop(.init(removed: [Self.file(file)], dropped: [], locked: [file], created: [])))
        case .truncate(let file, let new, let filled):
            let files = SurveyEvent.Files(
                removed: [Self.file(file)],
                dropped: [],
                locked: [file],
                created: [Self.file(new)]
            )
            kinds.append(filled ? .rewrite(files) : .truncate(files))
        }
        for kind in kinds {
            expected.append(
                SurveyEvent(
                    start: record.start,
                    end: record.end,
                    timeline: TimelineID(1),
                    time: time,
                    transactionID: transaction.id,
                    database: Self.database,
                    kind: kind
                )
            )
        }
    }

    static func file(_ number: UInt32) -> RelationFile {
        RelationFile(tablespace: 1663, database: database, number: number)
    }

    /// The segments' numbers and contents; the last one is filled up with zeros.
    var segments: [(name: SegmentName, bytes: ArraySlice<UInt8>)] {
        let bytes = craft.bytes
        let length = Int(Self.size.bytes)
        return stride(from: 0, to: bytes.count, by: length).map { offset in
            let content = bytes[offset..<min(bytes.count, offset + length)]
            let missing = [UInt8](repeating: 0, count: length - content.count)
            return (
                SegmentName(
                    timeline: TimelineID(1),
                    containing: craft.start.advanced(by: UInt64(offset)),
                    size: Self.size
                ),
                content + missing
            )
        }
    }
}

/// Records as heap, storage, standby and transaction log write them.
extension WALCraft {
    mutating func heap(_ opcode: UInt8, _ id: UInt32, _ file: UInt32, item: UInt16 = 1) {
        var body: [UInt8] = [0, 0, 0, 0]
        body.appendFile(file)
        body.appendLittle(UInt32(7))
        var main: [UInt8] = []
        switch opcode {
        case 0x00:
            main.appendLittle(item)
            main.append(0)
        case 0x10:
            main.appendLittle(id)
            main.appendLittle(item)
            main += [0, 0]
        default:
            main.appendLittle(id)
            main.appendLittle(item)
            main += [0, 0]
            main.appendLittle(UInt32(0))
            main.appendLittle(item)
        }
        record(ResourceManager.heap, info: opcode, transaction: id, body: body + [255, UInt8(main.count)] + main)
    }

    mutating func create(_ id: UInt32, _ file: UInt32) {
        var main: [UInt8] = []
        main.appendFile(file)
        main.appendLittle(UInt32(0))
        record(ResourceManager.storage, info: 0x10, transaction: id, main: main)
    }

    mutating func lock(_ id: UInt32, relation: UInt32) {
        var main: [UInt8] = []
        for value in [1, id, 5, relation] as [UInt32] { main.appendLittle(value) }
        record(ResourceManager.standby, transaction: id, main: main)
    }

    mutating func running(oldest: UInt32) {
        var main: [UInt8] = []
        for value in [0, 0, 0, oldest, oldest, oldest] as [UInt32] { main.appendLittle(value) }
        record(ResourceManager.standby, info: 0x10, main: main)
    }

    @discardableResult
    mutating func end(
        _ id: UInt32,
        opcode: UInt8,
        children: [UInt32] = [],
        removed: [UInt32] = [],
        at time: PostgresTime
    ) -> WALRecord {
        let isPrepared = opcode == 0x30 || opcode == 0x40
        var main: [UInt8] = []
        main.appendLittle(time.rawValue)
        let info: UInt32 =
            1 | (children.isEmpty ? 0 : 2) | (removed.isEmpty ? 0 : 4) | (isPrepared ? 0x10 : 0)
        main.appendLittle(info)
        main.appendLittle(UInt32(5))
        main.appendLittle(UInt32(1663))
        if !children.isEmpty {
            main.appendLittle(UInt32(children.count))
            for child in children { main.appendLittle(child) }
        }
        if !removed.isEmpty {
            main.appendLittle(UInt32(removed.count))
            for file in removed { main.appendFile(file) }
        }
        if isPrepared { main.appendLittle(id) }
        return record(
            ResourceManager.transaction,
            info: opcode | 0x80,
            transaction: isPrepared ? 0 : id,
            main: main
        )
    }
}

extension [UInt8] {
    fileprivate mutating func appendFile(_ number: UInt32) {
        for value in [1663, 5, number] as [UInt32] { appendLittle(value) }
    }
}
