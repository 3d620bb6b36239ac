import ArchiveEngine
import ArchiveModel
import ArchiveTesting
import Platform
import Testing
import WALFormat

@Suite("What is wanted to run", .keepsEvidence)
struct DesiredStateTests {
    @Test("nobody's wish is lost when several change it at once")
    func changesAtOnce() throws {
        try TestDirectory.with { directory in
            let container = try Self.container(in: directory)
            try #expect(DesiredState.read(container) == nil)
            let threads = try Part.allCases.map { part in
                try OwnedThread.start(name: part.rawValue) {
                    for round in 0..<41 {
                        try? DesiredState.change(container) { before in
                            let running = before?.running ?? []
                            return DesiredState(
                                running: round.isMultiple(of: 2) ? running.union([part]) : running.subtracting([part])
                            )
                        }
                    }
                }
            }
            for thread in threads { thread.join() }
            try #expect(DesiredState.read(container)?.running == Set(Part.allCases))
            try DesiredState.change(container) { _ in nil }
            try #expect(DesiredState.read(container) == nil)
        }
    }

    private static func container(in directory: TestDirectory) throws -> Container {
        let paths = ContainerPaths(root: directory.path)
        let identity = ContainerIdentity(
            name: "main",
            systemIdentifier: 1,
            major: 15,
            segmentBytes: 1 << 20,
            driver: .copy,
            owner: "postgres",
            superuser: "postgres",
            createdAt: PostgresTime(rawValue: 0)
        )
        try FileTree.makeDirectory(paths.run, mode: 0o700)
        try JSONFile.replace(paths.identity, with: identity)
        try DurableFile.replace(paths.settings, text: SettingsFile.text(Settings()))
        return try Container.open(directory.path)
    }
}
