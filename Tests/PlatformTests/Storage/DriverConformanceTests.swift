import ArchiveTesting
import Glibc
import Platform
import Synchronization
import Testing

/// What every storage driver promises, on real filesystems.
@Suite(.serialized, .keepsEvidence)
struct DriverConformanceTests {
    @Test(arguments: DriverCase.allCases)
    func aCopyIsCompleteAndIndependent(_ storage: DriverCase) throws {
        try storage.with { root in
            let driver = storage.driver
            try driver.createVolume("\(root)/a")
            #expect(try FileTree.status("\(root)/a").mode == 0o700)
            try SampleTree.fill("\(root)/a")
            let before = try SampleTree.describe("\(root)/a")
            try driver.copyVolume(from: "\(root)/a", to: "\(root)/b")
            try driver.sync("\(root)/b")
            #expect(try SampleTree.describe("\(root)/b") == before)

            try DurableFile.replace("\(root)/a/data/PG_VERSION", text: "16\n")
            let old = try Descriptor.open("\(root)/b/data/base/16384/1019", O_RDWR)
            try old.writeAll([0xFF, 0xFF], at: 100)
            try FileTree.removeTree("\(root)/a/data/base")
            #expect(try FileTree.readText("\(root)/b/data/PG_VERSION") == "15\n")
            #expect(try FileTree.read("\(root)/b/data/base/16384/1018").count == 18_000)
            try driver.copyVolume(from: "\(root)/b", to: "\(root)/c")
            #expect(try FileTree.read("\(root)/c/data/base/16384/1019")[100] == 0xFF)
            for name in ["a", "b", "c"] { try driver.deleteVolume("\(root)/\(name)") }
            #expect(try FileTree.list(root) == [])
        }
    }

    @Test(arguments: DriverCase.allCases)
    func nothingIsOverwritten(_ storage: DriverCase) throws {
        try storage.with { root in
            let driver = storage.driver
            try driver.createVolume("\(root)/a")
            try driver.createVolume("\(root)/b")
            try DurableFile.replace("\(root)/b/precious", text: "stay")
            for attempt in [
                { try driver.createVolume("\(root)/b") }, { try driver.copyVolume(from: "\(root)/a", to: "\(root)/b") },
            ] {
                let failure = #expect(throws: SystemError.self) { try attempt() }
                #expect(failure?.errno == EEXIST)
            }
            #expect(try FileTree.readText("\(root)/b/precious") == "stay")
            let missing = #expect(throws: SystemError.self) {
                try driver.copyVolume(from: "\(root)/none", to: "\(root)/c")
            }
            #expect(missing?.errno == ENOENT)
            #expect(!FileTree.exists("\(root)/c"))
        }
    }

    @Test(arguments: DriverCase.allCases)
    func frozenVolumesAreCopiedWritableAndDeleted(_ storage: DriverCase) throws {
        try storage.with { root in
            let driver = storage.driver
            try driver.createVolume("\(root)/a")
            try SampleTree.fill("\(root)/a")
            try driver.copyVolume(from: "\(root)/a", to: "\(root)/snapshot")
            try driver.freeze("\(root)/snapshot")
            if storage == .btrfs {
                let failure = #expect(throws: SystemError.self) {
                    try DurableFile.replace("\(root)/snapshot/data/PG_VERSION", text: "16\n")
                }
                #expect(failure?.errno == EROFS)
            }
            try driver.copyVolume(from: "\(root)/snapshot", to: "\(root)/clone")
            try DurableFile.replace("\(root)/clone/data/PG_VERSION", text: "clone\n")
            #expect(try FileTree.readText("\(root)/snapshot/data/PG_VERSION") == "15\n")
            try driver.deleteVolume("\(root)/snapshot")
            try driver.deleteVolume("\(root)/snapshot")
            #expect(try FileTree.list(root) == ["a", "clone"])
            #expect(try FileTree.readText("\(root)/clone/data/PG_VERSION") == "clone\n")
        }
    }

    @Test(arguments: DriverCase.allCases)
    func directoriesCanBeLeftEmptyAndFilesCopiedLast(_ storage: DriverCase) throws {
        try storage.with { root in
            let driver = storage.driver
            try driver.createVolume("\(root)/a")
            try SampleTree.fill("\(root)/a")
            let options = CopyOptions(
                copyLast: ["data/global/pg_control"],
                emptyDirectories: ["data/pg_wal"],
                tolerateVanishing: true
            )
            try driver.copyVolume(from: "\(root)/a", to: "\(root)/b", options: options)
            #expect(try FileTree.list("\(root)/b/data/pg_wal") == [])
            #expect(try FileTree.list("\(root)/a/data/pg_wal").count == 2)
            #expect(try FileTree.readText("\(root)/b/data/global/pg_control") == "control")
            var wanted = try SampleTree.describe("\(root)/a")
            for path in wanted.keys where path.hasPrefix("data/pg_wal/") { wanted[path] = nil }
            #expect(try SampleTree.describe("\(root)/b") == wanted)
        }
    }

    @Test(arguments: [DriverCase.btrfs, .reflinkOnXFS, .copyOnPlain], [1, 2, 11])
    func killedWhileCopyingItIsDeletedAndMadeAnew(_ storage: DriverCase, _ passage: Int) async throws {
        try await storage.with { root in
            try storage.driver.createVolume("\(root)/a")
            try SampleTree.fill("\(root)/a")
            // A snapshot knows one such place only.
            let passage = storage == .btrfs ? 1 : passage
            await #expect(processExitsWith: .exitCode(FaultPoint.exitStatus)) {
                [root = root as String, storage = storage as DriverCase, passage = passage as Int] in
                setenv("PGARCHIVE_FAULT", "copy.beforeFile=exit@\(passage),btrfs.afterSnapshot=exit", 1)
                try storage.driver.copyVolume(from: "\(root)/a", to: "\(root)/b")
            }
            #expect(FileTree.exists("\(root)/b"))
            try storage.driver.deleteVolume("\(root)/b")
            try storage.driver.copyVolume(from: "\(root)/a", to: "\(root)/b")
            #expect(try SampleTree.describe("\(root)/b") == SampleTree.describe("\(root)/a"))
        }
    }

    @Test(arguments: [DriverCase.btrfs, .reflinkOnXFS, .copyOnPlain])
    func killedWhileDeletingItIsDeletedBySecondAttempt(_ storage: DriverCase) async throws {
        try await storage.with { root in
            try storage.driver.createVolume("\(root)/a")
            try SampleTree.fill("\(root)/a")
            try storage.driver.freeze("\(root)/a")
            await #expect(processExitsWith: .exitCode(FaultPoint.exitStatus)) {
                [root = root as String, storage = storage as DriverCase] in
                setenv("PGARCHIVE_FAULT", "remove.beforeDirectory=exit@2,btrfs.beforeDelete=exit", 1)
                try storage.driver.deleteVolume("\(root)/a")
            }
            #expect(FileTree.exists("\(root)/a"))
            try storage.driver.deleteVolume("\(root)/a")
            #expect(try FileTree.list(root) == [])
        }
    }

    @Test(arguments: [DriverCase.reflinkOnXFS, .copyOnPlain])
    func whatIsCopiedLastIsMissingUntilThen(_ storage: DriverCase) async throws {
        try await storage.with { root in
            try storage.driver.createVolume("\(root)/a")
            try SampleTree.fill("\(root)/a")
            await #expect(processExitsWith: .exitCode(FaultPoint.exitStatus)) {
                [root = root as String, storage = storage as DriverCase] in
                setenv("PGARCHIVE_FAULT", "copy.beforeLast=exit", 1)
                let options = CopyOptions(copyLast: ["data/global/pg_control"])
                try storage.driver.copyVolume(from: "\(root)/a", to: "\(root)/b", options: options)
            }
            #expect(try FileTree.list("\(root)/b/data/global") == [])
            #expect(try FileTree.readText("\(root)/b/data/PG_VERSION") == "15\n")
        }
    }

    @Test(arguments: DriverCase.allCases)
    func aTreeThatChangesMeanwhileIsCopied(_ storage: DriverCase) throws {
        try storage.with { root in
            let driver = storage.driver
            try driver.createVolume("\(root)/a")
            try SampleTree.fill("\(root)/a")
            let source = "\(root)/a"
            try FileTree.makeDirectory("\(source)/churn")
            let stop = Atomic(false)
            let rounds = Atomic(0)
            let churning = try OwnedThread.start(name: "churn") { Churn.run(in: source, stop: stop, rounds: rounds) }
            defer {
                stop.store(true, ordering: .relaxed)
                churning.join()
            }
            try eventually("the tree changes") { rounds.load(ordering: .relaxed) > 5 }
            for number in 0..<15 {
                let copy = "\(root)/copy-\(number)"
                try driver.copyVolume(from: source, to: copy, options: CopyOptions(tolerateVanishing: true))
                #expect(try FileTree.readText("\(copy)/data/global/pg_control") == "control")
                try driver.deleteVolume(copy)
            }
            #expect(rounds.load(ordering: .relaxed) > 6)
        }
    }

    @Test(arguments: DriverCase.allCases)
    func exclusiveBytesAreWhatOnlyOneHolds(_ storage: DriverCase) throws {
        try storage.with { root in
            let driver = storage.driver
            try driver.createVolume("\(root)/a")
            let mebibyte = (0..<(1 << 20)).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }
            let file = try Descriptor.open("\(root)/a/file", O_RDWR | O_CREAT)
            for number in 0..<8 { try file.writeAll(mebibyte, at: Int64(number) << 20) }
            try driver.sync("\(root)/a")
            let alone = try #require(try driver.exclusiveBytes("\(root)/a"))
            #expect(alone >= 8 << 20 && alone < 9 << 20)
            guard storage.sharesData else { return }

            try driver.copyVolume(from: "\(root)/a", to: "\(root)/b")
            try driver.sync("\(root)/b")
            #expect(try #require(try driver.exclusiveBytes("\(root)/a")) < 1 << 20)
            #expect(try #require(try driver.exclusiveBytes("\(root)/b")) < 1 << 20)
            let copy = try Descriptor.open("\(root)/b/file", O_RDWR)
            try copy.writeAll(mebibyte, at: 3 << 20)
            try driver.sync("\(root)/b")
            let changed = try #require(try driver.exclusiveBytes("\(root)/b"))
            #expect(changed >= 1 << 20 && changed < 2 << 20)
        }
    }

    @Test(arguments: DriverCase.allCases)
    func defragmentingChangesNothingVisible(_ storage: DriverCase) throws {
        try storage.with { root in
            let driver = storage.driver
            try driver.createVolume("\(root)/a")
            try SampleTree.fill("\(root)/a")
            let before = try SampleTree.describe("\(root)/a")
            try driver.defragment("\(root)/a")
            try driver.sync("\(root)/a")
            #expect(try SampleTree.describe("\(root)/a") == before)
        }
    }

    @Test(
        .enabled(if: TestEnvironment.canMount && TestEnvironment.hasOwner, TestEnvironment.noMount),
        arguments: DriverCase.allCases
    )
    func everythingWorksForTheOwnerWithoutRoot(_ storage: DriverCase) async throws {
        try await storage.with { root in
            await #expect(processExitsWith: .success) {
                [root = root as String, storage = storage as DriverCase] in
                try #require(try SystemUser.named(TestEnvironment.owner.name)).become()
                let driver = storage.driver
                try driver.createVolume("\(root)/a")
                try SampleTree.fill("\(root)/a")
                try driver.copyVolume(from: "\(root)/a", to: "\(root)/b")
                try driver.freeze("\(root)/b")
                try driver.copyVolume(
                    from: "\(root)/b",
                    to: "\(root)/c",
                    options: CopyOptions(emptyDirectories: ["data/pg_wal"])
                )
                try driver.sync("\(root)/c")
                #expect(try driver.exclusiveBytes("\(root)/c") != nil)
                try driver.defragment("\(root)/a")
                for name in ["b", "c", "a"] { try driver.deleteVolume("\(root)/\(name)") }
                #expect(try FileTree.list(root) == [])
            }
        }
    }

    @Test(
        .enabled(if: TestEnvironment.canMount, TestEnvironment.noMount),
        arguments: [DriverCase.btrfs, .reflinkOnXFS, .copyOnXFS]
    )
    func aFullFilesystemIsAnErrorAndDeletingStillWorks(_ storage: DriverCase) throws {
        try storage.with(megabytes: 320) { root in
            let driver = storage.driver
            try driver.createVolume("\(root)/a")
            try SampleTree.fill("\(root)/a")
            try driver.copyVolume(from: "\(root)/a", to: "\(root)/b")
            var failure: SystemError?
            let chunk = [UInt8](repeating: 5, count: 1 << 20)
            do throws(SystemError) {
                let file = try Descriptor.open("\(root)/b/filler", O_WRONLY | O_CREAT)
                while true { try file.writeAll(chunk) }
            } catch {
                failure = error
            }
            #expect(failure?.isFull == true)
            try driver.deleteVolume("\(root)/b")
            try driver.deleteVolume("\(root)/a")
            #expect(try FileTree.list(root) == [])
        }
    }
}

/// Makes, renames, shrinks and removes files and directories until told to stop.
private enum Churn {
    static func run(in root: String, stop: borrowing Atomic<Bool>, rounds: borrowing Atomic<Int>) {
        let kilobytes = [UInt8](repeating: 3, count: 64 << 10)
        while !stop.load(ordering: .relaxed) {
            for number in 0..<10 {
                let path = "\(root)/churn/t\(number)"
                guard let file = try? Descriptor.open(path, O_RDWR | O_CREAT) else { continue }
                try? file.writeAll(kilobytes)
                try? file.truncate(to: 100)
            }
            for number in 0..<10 { unlink("\(root)/churn/t\(number)") }
            mkdir("\(root)/churn/directory", 0o700)
            symlink("nowhere", "\(root)/churn/directory/link")
            rename("\(root)/churn/directory", "\(root)/churn/renamed")
            unlink("\(root)/churn/renamed/link")
            rmdir("\(root)/churn/renamed")
            rounds.add(1, ordering: .relaxed)
        }
    }
}
