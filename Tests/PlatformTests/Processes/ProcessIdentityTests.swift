import ArchiveTesting
import Glibc
import Platform
import Testing

@Suite(.keepsEvidence)
struct ProcessIdentityTests {
    @Test func namesWithBlanksAndParenthesesAreParsed() throws {
        let rest = "S 7 1 1 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 4711 8 9 18446744073709551615"
        let stat = try #require(ProcessStat("42 (a) b) (c d) \(rest)\n"))
        #expect(stat.state == "S")
        #expect(stat.parent == 7)
        #expect(stat.startTicks == 4711)
        #expect(ProcessStat("42 (cut off) S 7") == nil)
        #expect(ProcessStat("") == nil)
    }

    @Test func weAreAlive() throws {
        let me = try #require(ProcessIdentity.current())
        #expect(me.pid == getpid())
        #expect(me.isAlive)
        #expect(me.parent == getppid())
        #expect(me.workingDirectory == (try FileTree.resolved(".")))
        #expect(!me.waitForExit(timeoutSeconds: 0.01))
    }

    @Test func anotherProcessOfTheSameNumberIsNotMeant() throws {
        let me = try #require(ProcessIdentity.current())
        let earlier = ProcessIdentity(pid: me.pid, startTicks: me.startTicks &- 1)
        #expect(!earlier.isAlive)
        #expect(earlier.workingDirectory == nil)
        #expect(try earlier.signal(SIGKILL) == false)
        #expect(earlier.waitForExit(timeoutSeconds: 5))
    }

    @Test func zombiesAreDead() throws {
        let child = try ProcessSpawn.spawn(SpawnRequest(executable: "/bin/sleep", arguments: ["100"]))
        let identity = try #require(child.identity)
        child.signal(SIGKILL)
        // Not reaped yet: a zombie until wait.
        #expect(identity.waitForExit(timeoutSeconds: 20))
        #expect(kill(child.pid, 0) == 0)
        #expect(!identity.isAlive)
        #expect(ProcessIdentity.of(child.pid) == identity)
        #expect(child.wait() == .signalled(SIGKILL))
    }

    @Test func theEndOfAProcessThatIsNoChildIsNoticed() throws {
        let script = "/bin/sleep 100 >/dev/null 2>&1 & echo $!"
        let result = try ProcessSpawn.run(SpawnRequest(executable: "/bin/sh", arguments: ["-c", script]))
        let pid = try #require(Int32(result.outputText.filter { $0 != "\n" }))
        let orphan = try #require(ProcessIdentity.of(pid))
        #expect(orphan.isAlive)
        #expect(!orphan.waitForExit(timeoutSeconds: 0.05))
        #expect(try orphan.signal(SIGTERM))
        #expect(orphan.waitForExit(timeoutSeconds: 20))
        #expect(!orphan.isAlive)
    }

    @Test func aProcessThatNeverWasIsDead() {
        let nobody = ProcessIdentity(pid: 0x3FFF_FFFF, startTicks: 1)
        #expect(!nobody.isAlive)
        #expect(nobody.waitForExit(timeoutSeconds: 1))
        #expect(ProcessIdentity.of(-1) == nil)
        #expect(ProcessIdentity.of(0) == nil)
    }
}
