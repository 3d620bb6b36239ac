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
            let container = try ContainerFixture.container(in: directory)
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
}
