import ArchiveTesting
import Glibc
import Platform
import Synchronization
import Testing

@Suite(.keepsEvidence)
struct SystemTests {
    @Test func threadsRunUnderTheirNamesAndAreJoined() throws {
        let name = Mutex("")
        let thread = try OwnedThread.start(name: "wal-fsync-and-more-than-fits") {
            name.withLock { $0 = (try? FileTree.readText("/proc/thread-self/comm")) ?? "" }
        }
        thread.join()
        thread.join()
        #expect(thread.isFinished)
        #expect(name.withLock { $0 } == "wal-fsync-and-m\n")
    }

    @Test func clocksAgreeWithTheSystem() {
        let seconds = SystemClock.now() / 1_000_000
        #expect(abs(seconds - Int64(time(nil))) <= 2)
        let before = SystemClock.monotonicSeconds()
        #expect(SystemClock.monotonicSeconds() >= before)
    }

    @Test func usersAreFound() throws {
        let root = try #require(try SystemUser.named("root"))
        #expect(root.uid == 0)
        #expect(root.groups.contains(0))
        #expect(try SystemUser.named("no-such-user-here") == nil)
        #expect(try SystemUser.withID(0)?.name == "root")
        #expect(try SystemUser.current().uid == geteuid())
        #expect(try SystemUser.withID(3_999_999_999) == nil)
    }

    @Test(.enabled(if: TestEnvironment.isRoot && TestEnvironment.hasOwner, TestEnvironment.noRoot))
    func rootBecomesTheOwnerForGood() async {
        await #expect(processExitsWith: .success) {
            let owner = try #require(try SystemUser.named(TestEnvironment.owner.name))
            try #require(chdir("/root") == 0)
            try owner.become()
            #expect(getuid() == owner.uid && geteuid() == owner.uid && getgid() == owner.gid)
            #expect(String(cString: try #require(getenv("HOME"))) == owner.home)
            #expect(setuid(0) == -1)
            #expect(access(".", X_OK) == 0)
            var groups = [gid_t](repeating: 0, count: 100)
            let count = getgroups(100, &groups)
            #expect(Set(groups.prefix(Int(count))) == Set(owner.groups))
            try owner.become()
            let other = SystemUser(name: "root", uid: 0, gid: 0, groups: [0], home: "/root")
            let failure = #expect(throws: SystemError.self) { try other.become() }
            #expect(failure?.errno == EPERM)
        }
    }

    @Test func faultPointsFireAtTheirPassage() async throws {
        let directory = try TestDirectory()
        let mark = "\(directory.path)/mark"
        await #expect(processExitsWith: .exitCode(FaultPoint.exitStatus)) { [mark = mark as String] in
            setenv("PGARCHIVE_FAULT", "test.other=exit,test.here=exit@3", 1)
            setenv("PGARCHIVE_FAULT_MARK", mark, 1)
            try FaultPoint.pass("test.here")
            try FaultPoint.pass("test.here")
            guard !FileTree.exists(mark) else { return }
            try FaultPoint.pass("test.here")
        }
        #expect(FileTree.exists(mark))
        directory.finish(failed: KeptEvidence.currentTestFailed)
    }

    @Test func unarmedFaultPointsDoNothing() throws {
        try FaultPoint.pass("test.unarmed")
    }

    @Test func anErrorIsThrownOnce() async {
        await #expect(processExitsWith: .success) {
            setenv("PGARCHIVE_FAULT", "test.here=error,nonsense,=,x=unknown", 1)
            let failure = #expect(throws: SystemError.self) { try FaultPoint.pass("test.here") }
            #expect(failure?.errno == EIO)
            try FaultPoint.pass("test.here")
            try FaultPoint.pass("x")
        }
    }
}
