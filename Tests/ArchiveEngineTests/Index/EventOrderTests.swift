import ArchiveEngine
import ArchiveModel
import ArchiveTesting
import Foundation
import Testing
import WALFormat
import WALStore

/// The newest events are found without all the others, and are those that stand last among all of them.
@Suite("The order of events")
struct EventOrderTests {
    private static let kinds: Set<String> = ["tablespace-create", "restore-point"]

    /// Three timelines that fork within segments, each with a tail that the next one does not go on with.
    private func forked(_ container: Container) throws -> (archive: CraftedArchive, forks: [LSN]) {
        var archive = try CraftedArchive(container.paths.walArchive)
        var forks: [LSN] = []
        var history = ""
        for number: UInt32 in 1...3 {
            let start = archive.craft.position
            if number > 1 {
                forks.append(start)
                history += "\(number - 1)\t\(start)\tno recovery target specified\n"
                try archive.put(history, TimelineID(number).historyFileName)
            }
            archive.craft.timeline = TimelineID(number)
            addEvents(30, to: &archive)
            var whole = archive
            addEvents(20, to: &whole)
            try whole.write(from: whole.size.number(of: start))
        }
        return (archive, forks)
    }

    private func addEvents(_ count: UInt32, to archive: inout CraftedArchive) {
        for event in 0..<count {
            if event % 3 == 0 {
                let time = [UInt8](repeating: 0, count: 8)
                archive.craft.record(ResourceManager.xlog, info: 0x70, main: time + Array("point \(event)".utf8) + [0])
            } else {
                archive.craft.createTablespace(event, path: "/somewhere")
            }
            archive.grow(to: archive.craft.position.advanced(by: 80_000))
        }
    }

    private func expectInOrder(_ container: Container, count: Int? = nil) throws {
        try ArchiveContents.use(container, for: "a test", say: { _ in }) { contents in
            let all = try contents.events(kinds: Self.kinds)
            #expect(all.count == (count ?? all.count) && Set(all).count == all.count)
            #expect(Set(all.map(\.timeline)).count == 3)
            var filter = EventFilter()
            filter.kinds = Self.kinds
            for limit in [nil, 1, 7, 60, 120] as [Int?] {
                filter.limit = limit
                let list = try EventList.find(filter, in: contents)
                let expected = all.suffix(limit ?? all.count)
                #expect(list.events.map(\.event.timeline) == expected.map(\.timeline))
                #expect(list.events.map(\.event.start) == expected.map(\.start))
                #expect(list.events.map(\.event.kind) == expected.map(\.kind))
                #expect(list.hasMore == (expected.count < all.count))
            }
        }
    }

    @Test("up to a limit the newest by timeline, each once, also what is in the segments of two timelines")
    func newest() throws {
        try TestDirectory.with { directory in
            let container = try ContainerFixture.container(in: directory, systemIdentifier: 0x5EED_0123_4567_89AB)
            let (archive, forks) = try forked(container)
            try expectInOrder(container, count: 150)
            // Once more from the index, with nothing left to be read.
            _ = try IndexUpkeep(container).run(rebuild: false, say: { _ in })
            try expectInOrder(container, count: 150)

            // What is before a fork may be in the later timeline's segment alone.
            for (fork, number) in zip(forks, [1, 2] as [UInt32]) {
                let name = SegmentName(timeline: TimelineID(number), containing: fork, size: archive.size)
                try FileManager.default.removeItem(atPath: archive.file(name))
            }
            try expectInOrder(container)
        }
    }
}
