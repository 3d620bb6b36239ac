import ArchiveTesting
import Platform
import Testing

@Suite(.keepsEvidence)
struct LogRotationTests {
    @Test func aLargeLogIsMovedAwayAndOneOldOneKept() throws {
        try TestDirectory.with { directory in
            let log = "\(directory.path)/a.log"
            LogRotation.rotate(log, beyond: 3)
            #expect(try FileTree.list(directory.path) == [])
            try DurableFile.replace(log, text: "abc")
            LogRotation.rotate(log, beyond: 3)
            #expect(try FileTree.list(directory.path) == ["a.log"])
            for text in ["first", "second"] {
                try DurableFile.replace(log, text: text)
                LogRotation.rotate(log, beyond: 3)
                #expect(try FileTree.list(directory.path) == ["a.log.1"])
                #expect(try FileTree.readText("\(log).1") == text)
            }
        }
    }
}
