import ArchiveEngine
import ArchiveModel
import Testing
import WALFormat

/// Which drop of a table is meant.
@Suite("Before a drop")
struct TableDropTests {
    /// Timeline 2 left timeline 1 at 0/400000.
    private static let path = TimelinePath(ancestors: [(TimelineID(1), LSN(0x40_0000))], timeline: TimelineID(2))

    private static func drop(_ start: UInt64, _ timeline: UInt32, _ table: String = "db.public.t") -> TargetIndex.Drop {
        TargetIndex.Drop(start: LSN(start), timeline: TimelineID(timeline), time: nil, table: table)
    }

    private func target(
        _ drops: [TargetIndex.Drop],
        along path: TimelinePath = path,
        unnamed: LSN? = nil
    ) throws -> Target {
        let index = TargetIndex(
            passOver: { _, _, _ in nil },
            drops: { _ in
                .init(
                    known: drops.sorted { $0.start > $1.start },
                    unnamed: unnamed.map { [($0, path.timeline(at: $0))] } ?? []
                )
            }
        )
        return try TableDrop.target("t", index, along: path) { _ in unnamed }
    }

    private func refusal(_ body: () throws -> Target) -> ArchiveError? {
        #expect(throws: ArchiveError.self) { try body() }
    }

    @Test("the last one on the way; what lies on another timeline hides it not")
    func lastOnTheWay() throws {
        let drops = [Self.drop(0x30_0000, 1), Self.drop(0x50_0000, 2), Self.drop(0x90_0000, 1)]
        #expect(try target(drops) == .before(LSN(0x50_0000)))
        #expect(try target(drops, along: TimelinePath(TimelineID(1))) == .before(LSN(0x90_0000)))
        #expect(try target([drops[0], drops[2]]) == .before(LSN(0x30_0000)))
        // A record at the very fork is the new timeline's.
        #expect(try target([Self.drop(0x30_0000, 1), Self.drop(0x40_0000, 1)]) == .before(LSN(0x30_0000)))
    }

    @Test("on another timeline alone, it is refused with what to type")
    func elsewhere() {
        let error = refusal { try target([Self.drop(0x90_0000, 1)]) }
        #expect(error?.code == .refused && error?.hint?.contains("--timeline 1") == true)
    }

    @Test("two tables of the name, each with its last drop")
    func ambiguous() {
        let error = refusal {
            try target([Self.drop(0x10_0000, 1), Self.drop(0x20_0000, 1), Self.drop(0x30_0000, 1, "db.other.t")])
        }
        #expect(error?.code == .refused)
        #expect(error?.details == ["db.other.t: --before 0/300000", "db.public.t: --before 0/200000"])
    }

    @Test("a later drop of something that could not be named may be it: no earlier one is taken for it")
    func unnamed() throws {
        let drops = [Self.drop(0x30_0000, 1)]
        let error = refusal { try target(drops, unnamed: LSN(0x38_0000)) }
        #expect(error?.code == .refused && error?.hint?.contains("--before 0/300000") == true)
        let none = refusal { try target([], unnamed: LSN(0x38_0000)) }
        #expect(none?.code == .notFound && none?.details.first?.contains("0/380000") == true)
        #expect(try target(drops, unnamed: LSN(0x20_0000)) == .before(LSN(0x30_0000)))
    }
}
