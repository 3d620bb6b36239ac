import ArchiveTesting
import Glibc
import Platform
import Testing

@Suite(.keepsEvidence)
struct DurableFileTests {
    @Test func replaceCreatesAndOverwritesWithTheModeAskedFor() throws {
        try TestDirectory.with { directory in
            let path = "\(directory.path)/state.json"
            try DurableFile.replace(path, text: "one")
            try DurableFile.replace(path, text: "second", mode: 0o640)
            #expect(try FileTree.readText(path) == "second")
            #expect(try FileTree.status(path).mode == 0o640)
            #expect(try FileTree.list(directory.path) == ["state.json"])
        }
    }

    @Test func createNewRefusesToOverwrite() throws {
        try TestDirectory.with { directory in
            let path = "\(directory.path)/history"
            try DurableFile.createNew(path, text: "first")
            let failure = #expect(throws: SystemError.self) { try DurableFile.createNew(path, text: "other") }
            #expect(failure?.errno == EEXIST)
            #expect(try FileTree.readText(path) == "first")
            #expect(try FileTree.list(directory.path) == ["history"])
        }
    }

    @Test func renameNewRefusesToOverwrite() throws {
        try TestDirectory.with { directory in
            try DurableFile.replace("\(directory.path)/a", text: "a")
            try DurableFile.replace("\(directory.path)/b", text: "b")
            let failure = #expect(throws: SystemError.self) {
                try DurableFile.renameNew("\(directory.path)/a", "\(directory.path)/b")
            }
            #expect(failure?.errno == EEXIST)
            #expect(try FileTree.readText("\(directory.path)/b") == "b")
            try DurableFile.renameNew("\(directory.path)/a", "\(directory.path)/c")
            #expect(try FileTree.list(directory.path) == ["b", "c"])
        }
    }

    @Test func removingWhatIsNotThereIsFine() throws {
        try TestDirectory.with { directory in
            try DurableFile.remove("\(directory.path)/nothing")
        }
    }

    @Test func aMissingDirectoryIsNamed() {
        let failure = #expect(throws: SystemError.self) {
            try DurableFile.replace("/nonexistent/place/file", text: "")
        }
        #expect(failure?.errno == ENOENT)
        #expect(failure?.path?.hasPrefix("/nonexistent/place/") == true)
    }

    @Test func killedBeforeTheRenameItKeepsTheOldContent() async throws {
        let directory = try TestDirectory()
        let path = "\(directory.path)/state.json"
        try DurableFile.replace(path, text: "old")
        await #expect(processExitsWith: .exitCode(FaultPoint.exitStatus)) { [path = path as String] in
            setenv("PGARCHIVE_FAULT", "durable.beforeRename=exit", 1)
            try DurableFile.replace(path, text: "new")
        }
        #expect(try FileTree.readText(path) == "old")
        #expect(try FileTree.list(directory.path).count == 2)
        let leftovers = try DurableFile.leftovers(in: directory.path)
        #expect(leftovers.count == 1)
        try DurableFile.removeLeftovers(in: directory.path)
        #expect(try FileTree.list(directory.path) == ["state.json"])
        directory.finish(failed: KeptEvidence.currentTestFailed)
    }

    @Test func killedBeforeItCreatesThereIsNothing() async throws {
        let directory = try TestDirectory()
        let path = "\(directory.path)/00000002.history"
        await #expect(processExitsWith: .exitCode(FaultPoint.exitStatus)) { [path = path as String] in
            setenv("PGARCHIVE_FAULT", "durable.beforeCreate=exit", 1)
            try DurableFile.createNew(path, text: "new")
        }
        try DurableFile.removeLeftovers(in: directory.path)
        #expect(try FileTree.list(directory.path) == [])
        try DurableFile.createNew(path, text: "new")
        directory.finish(failed: KeptEvidence.currentTestFailed)
    }

    @Test func aFailureLeavesNoTemporaryFile() async throws {
        let directory = try TestDirectory()
        let path = "\(directory.path)/state.json"
        await #expect(processExitsWith: .success) { [path = path as String] in
            setenv("PGARCHIVE_FAULT", "durable.beforeRename=error", 1)
            let failure = #expect(throws: SystemError.self) { try DurableFile.replace(path, text: "new") }
            #expect(failure?.errno == EIO)
        }
        #expect(try FileTree.list(directory.path) == [])
        directory.finish(failed: KeptEvidence.currentTestFailed)
    }

    @Test func temporaryFilesOfTheLivingAreNoLeftovers() throws {
        try TestDirectory.with { directory in
            let mine = DurableFile.temporaryName(for: "\(directory.path)/a")
            try DurableFile.replace(mine, text: "")
            try DurableFile.replace("\(directory.path)/.a.tmp-1-5", text: "")
            #expect(try DurableFile.leftovers(in: directory.path) == [])
        }
    }

    @Test(
        arguments: [
            (".state.json.tmp-17-3", 17), (".tmp-17-3", 17), ("state.json.tmp-17-3", nil), (".state.json.tmp-17", nil),
            (".state.json.tmp--1-3", nil), (".state.json.tmp-0-3", nil), (".x.tmp-9-1.tmp-17-x", nil), (".", nil),
            ("", nil), (".a.tmp-99999999999-1", nil),
        ] as [(String, Int32?)]
    )
    func temporaryNamesTellTheirMaker(name: String, owner: Int32?) {
        #expect(DurableFile.temporaryOwner(name: name) == owner)
    }
}
