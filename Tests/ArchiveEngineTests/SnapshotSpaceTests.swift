import ArchiveEngine
import ArchiveModel
import ArchiveTesting
import Platform
import Testing
import WALFormat

@Suite("Space that one snapshot holds alone", .keepsEvidence)
struct SnapshotSpaceTests {
    @Test("it is counted for new snapshots, and again after the standby has written")
    func recount() throws {
        try TestDirectory.with { directory in
            let container = try ContainerFixture.container(in: directory)
            let control = container.paths.standbyTree.controlFile
            try FileTree.makeDirectory(FilePath.parent(of: control), mode: 0o700, parents: true)
            try DurableFile.replace(control, text: "replayed 1")
            try Self.addSnapshot("one", to: container)

            var pace = SnapshotSpace.Pace()
            pace.lookMilliseconds = 10
            pace.recountSeconds = 0.05
            let space = SnapshotSpace(container)
            let counter = try OwnedThread.start(name: "space") { [pace] in space.keepCounting(pace) }
            defer {
                space.end()
                counter.join()
            }
            func bytes(_ name: String) -> UInt64 { SnapshotSpace.read(container)[name]?.bytes ?? 0 }
            try eventually("the first is counted") { bytes("one") > 0 }
            // What was shared is held alone when the standby has overwritten it.
            try DurableFile.replace("\(container.paths.snapshot("one").root)/old", text: Self.text)
            try DurableFile.replace(control, text: "replayed 2")
            try eventually("it is counted again") { bytes("one") >= 2 * Self.text.utf8.count }

            try Self.addSnapshot("two", to: container)
            try eventually("the second is counted") { bytes("two") > 0 }
        }
    }

    @Test("a standby that wrote nothing is no reason to count again")
    func nothingNew() {
        var counting = SpaceCounting()
        #expect(counting.isDue(names: ["a"], control: [1], now: 0))
        // It took 2 s.
        counting.ended(names: ["a"], control: [1], began: 0, now: 2, recountSeconds: 30)
        let table: [(names: [String], control: [UInt8]?, now: Double, isDue: Bool)] = [
            (["a"], [1], 1000, false),
            (["a"], [2], 41, false),
            (["a"], [2], 42.5, true),
            (["a", "b"], [1], 2, true),
            ([], [1], 2, true),
            (["a"], nil, 1000, true),
        ]
        for row in table {
            #expect(counting.isDue(names: row.names, control: row.control, now: row.now) == row.isDue, "\(row)")
        }
    }

    private static let text = String(repeating: "0123456789abcdef", count: 4096)

    private static func addSnapshot(_ name: String, to container: Container) throws {
        let paths = container.paths.snapshot(name)
        try FileTree.makeDirectory(paths.root, mode: 0o700, parents: true)
        try DurableFile.replace("\(paths.root)/file", text: text)
        let record = SnapshotRecord(
            name: name,
            createdAt: PostgresTime(rawValue: 0),
            timeline: TimelineID(rawValue: 1),
            redo: LSN(rawValue: 1),
            consistent: LSN(rawValue: 1),
            replayed: LSN(rawValue: 1),
            lastTransactionTime: nil,
            checkpointTime: PostgresTime(rawValue: 0),
            driver: .copy,
            live: true
        )
        try JSONFile.replace(paths.record, with: record)
    }
}
