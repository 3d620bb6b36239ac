import ArchiveTesting
import Glibc
import Platform
import Synchronization
import Testing

@Suite(.keepsEvidence)
struct HeldLockTests {
    @Test func aSecondHolderIsToldWhoHoldsIt() throws {
        try TestDirectory.with { directory in
            let path = "\(directory.path)/lock"
            #expect(try HeldLock.isHeld(path) == nil)
            let lock = try HeldLock.acquire(path, description: "pgarchive container run")
            let conflict = #expect(throws: LockConflict.self) { try HeldLock.acquire(path, description: "another") }
            #expect(conflict?.holder == LockHolder(pid: getpid(), text: "pgarchive container run"))
            #expect(try HeldLock.isHeld(path)?.pid == getpid())
            lock.release()
            lock.release()
            #expect(try HeldLock.isHeld(path) == nil)
            let next = try HeldLock.acquire(path, description: "next")
            #expect(next.raw != nil)
        }
    }

    @Test func sharedHoldersGetAlong() throws {
        try TestDirectory.with { directory in
            let path = "\(directory.path)/lock"
            let one = try HeldLock.acquire(path, shared: true, description: "reader")
            let two = try HeldLock.acquire(path, shared: true, description: "reader")
            #expect(throws: LockConflict.self) { try HeldLock.acquire(path, description: "writer") }
            one.release()
            two.release()
            #expect(try HeldLock.acquire(path, description: "writer").raw != nil)
        }
    }

    @Test func anotherProcessHoldsItUntilItDies() throws {
        try TestDirectory.with { directory in
            let path = "\(directory.path)/lock"
            let pipe = try Descriptor.pipe()
            var request = SpawnRequest(executable: "/bin/cat", standardInput: .descriptor(pipe.reading.raw))
            let lock = try HeldLock.acquire(path, description: "one")
            request.keptDescriptors = [try #require(lock.raw)]
            let holder = try ProcessSpawn.spawn(request)
            lock.release()
            #expect(try HeldLock.isHeld(path) != nil)
            #expect(throws: LockConflict.self) { try HeldLock.acquire(path, description: "me") }
            holder.signal(SIGKILL)
            #expect(holder.wait() == .signalled(SIGKILL))
            #expect(try HeldLock.acquire(path, description: "me").raw != nil)
        }
    }

    /// Status looks at locks all the time; those who take them without waiting must not be refused for it.
    @Test func lookingDisturbsNobody() throws {
        try TestDirectory.with { directory in
            let path = "\(directory.path)/lock"
            try HeldLock.acquire(path, description: "first").release()
            let isOver = Atomic(false)
            let lookers = try (0..<3).map { index in
                try OwnedThread.start(name: "looker-\(index)") {
                    while !isOver.load(ordering: .relaxed) { _ = try? HeldLock.isHeld(path) }
                }
            }
            defer {
                isOver.store(true, ordering: .relaxed)
                for looker in lookers { looker.join() }
            }
            for _ in 0..<3000 { try HeldLock.acquire(path, description: "taker").release() }
        }
    }

    @Test(.enabled(if: TestFilesystem.Kind.tmpfs.isAvailable, "needs root, to mount"))
    func aFullDiskIsNoReasonToDoWithout() throws {
        try TestDirectory.with { directory in
            try TestFilesystem.with(.tmpfs, in: directory, megabytes: 1) { filesystem in
                let path = "\(filesystem.path)/lock"
                try DurableFile.replace(path, text: "")
                let filler = try Descriptor.open("\(filesystem.path)/filler", O_WRONLY | O_CREAT)
                _ = try? filler.writeAll([UInt8](repeating: 1, count: 2 << 20))
                let lock = try HeldLock.acquire(path, description: "expiry")
                #expect(throws: LockConflict.self) { try HeldLock.acquire(path, description: "another") }
                #expect(try HeldLock.isHeld(path)?.pid == 0)
                lock.release()
                #expect(try HeldLock.isHeld(path) == nil)
            }
        }
    }

    @Test func waitingEndsWhenTheHolderLetsGo() throws {
        try TestDirectory.with { directory in
            let path = "\(directory.path)/lock"
            let lock = try HeldLock.acquire(path, description: "first")
            let conflict = #expect(throws: LockConflict.self) {
                try HeldLock.acquire(path, wait: 0.1, description: "impatient")
            }
            #expect(conflict?.holder?.text == "first")
            let thread = try OwnedThread.start(name: "waiter") {
                let second = try? HeldLock.acquire(path, wait: 20, description: "second")
                second?.release()
            }
            lock.release()
            thread.join()
            #expect(try FileTree.readText(path).contains("second"))
            #expect(try HeldLock.isHeld(path) == nil)
        }
    }

    @Test func programsStartedDoNotKeepItUnlessTheyAreGivenIt() throws {
        try TestDirectory.with { directory in
            let path = "\(directory.path)/lock"
            let input = try Descriptor.pipe()
            var request = SpawnRequest(executable: "/bin/cat", standardInput: .descriptor(input.reading.raw))
            let lock = try HeldLock.acquire(path, description: "parent")
            let stranger = try ProcessSpawn.spawn(request)
            lock.release()
            #expect(try HeldLock.isHeld(path) == nil)

            let again = try HeldLock.acquire(path, description: "parent")
            request.keptDescriptors = [try #require(again.raw)]
            let heir = try ProcessSpawn.spawn(request)
            again.release()
            #expect(try HeldLock.isHeld(path)?.text == "parent")
            for child in [stranger, heir] {
                child.signal(SIGTERM)
                #expect(child.wait() == .signalled(SIGTERM))
            }
            #expect(try HeldLock.isHeld(path) == nil)
        }
    }

    @Test func aLockFileThatIsReplacedDoesNotFool() throws {
        try TestDirectory.with { directory in
            let path = "\(directory.path)/lock"
            let old = try HeldLock.acquire(path, description: "old")
            try DurableFile.remove(path)
            let new = try HeldLock.acquire(path, description: "new")
            old.release()
            #expect(throws: LockConflict.self) { try HeldLock.acquire(path, description: "third") }
            new.release()
        }
    }
}
