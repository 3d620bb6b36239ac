import ArchiveTesting
import Glibc
import Platform
import Testing

@Suite(.keepsEvidence)
struct ProcessRunTests {
    private func shell(_ script: String) -> SpawnRequest {
        SpawnRequest(executable: "/bin/sh", arguments: ["-c", script], environment: ["PATH": "/usr/bin:/bin"])
    }

    @Test func collectsOutputAndErrorApart() throws {
        let result = try ProcessSpawn.run(shell("echo out; echo err >&2; exit 3"))
        #expect(result.status == .exited(3))
        #expect(result.outputText == "out\n")
        #expect(result.errorText == "err\n")
        #expect(!result.isTruncated)
    }

    @Test func keepsNoMoreThanTheLimit() throws {
        let result = try ProcessSpawn.run(shell("yes 123456789 | head -c 3000000"), outputLimit: 1000)
        #expect(result.status == .exited(0))
        #expect(result.output.count == 1000)
        #expect(result.isTruncated)
    }

    @Test func collectsMuchOutputWhole() throws {
        let result = try ProcessSpawn.run(shell("head -c 8000000 /dev/zero"), outputLimit: 10_000_000)
        #expect(result.output.count == 8_000_000)
    }

    @Test func feedsInputWhileReadingOutput() throws {
        let input = (0..<2_000_000).map { UInt8(truncatingIfNeeded: $0) }
        let result = try ProcessSpawn.run(
            SpawnRequest(executable: "/bin/cat"),
            input: input,
            outputLimit: 4_000_000,
            timeoutSeconds: 60
        )
        #expect(result.output == input)
    }

    @Test func aProgramThatWantsNoInputIsFine() throws {
        let input = [UInt8](repeating: 1, count: 1_000_000)
        let result = try ProcessSpawn.run(shell("exec 0<&-; echo done"), input: input, timeoutSeconds: 60)
        #expect(result.outputText == "done\n")
    }

    @Test func isKilledWhenTheTimeIsOver() throws {
        try TestDirectory.with { directory in
            var request = shell("sleep 100 & echo $! > pid; wait")
            request.workingDirectory = directory.path
            request.newSession = true
            let seconds = measured {
                let failure = #expect(throws: SystemError.self) {
                    try ProcessSpawn.run(request, timeoutSeconds: 1)
                }
                #expect(failure?.errno == ETIMEDOUT)
            }
            #expect(seconds < 20)
            let text = try FileTree.readText("\(directory.path)/pid").filter { $0 != "\n" }
            let pid = try #require(Int32(text))
            // Its own children too, since it had a session of its own.
            try eventually("the grandchild is dead") { ProcessIdentity.of(pid)?.isAlive != true }
        }
    }

    @Test func aGrandchildThatKeepsThePipeIsNotWaitedFor() throws {
        let result = try ProcessSpawn.run(shell("sleep 100 & echo $!"), timeoutSeconds: 20)
        let pid = try #require(Int32(result.outputText.filter { $0 != "\n" }))
        _ = try ProcessIdentity.of(pid)?.signal(SIGKILL)
        #expect(result.status == .exited(0))
    }

    @Test func toolsThatFailSayWhy() {
        let failure = #expect(throws: ToolFailure.self) { try SystemTool.run("ls", ["/no/such/place"]) }
        #expect(failure?.status == .exited(2))
        #expect(failure?.message.isEmpty == false)
        let missing = #expect(throws: SystemError.self) { try SystemTool.run("mkfs.nothing", []) }
        #expect(missing?.errno == ENOENT)
        #expect(missing?.path == "mkfs.nothing")
    }
}
