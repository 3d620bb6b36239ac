import ArchiveTesting
import Glibc
import Platform
import Testing

@Suite(.serialized, .keepsEvidence, .enabled(if: TestEnvironment.canMount, TestEnvironment.noMount))
struct BtrfsDriverTests {
    let driver = BtrfsDriver()

    @Test func nestedVolumesAreDeletedToo() throws {
        try DriverCase.btrfs.with { root in
            try driver.createVolume("\(root)/a")
            try FileTree.makeDirectory("\(root)/a/data")
            try driver.createVolume("\(root)/a/data/nested")
            try driver.createVolume("\(root)/a/data/nested/deeper")
            try DurableFile.replace("\(root)/a/data/nested/deeper/file", text: "x")
            try driver.freeze("\(root)/a/data/nested/deeper")
            try driver.freeze("\(root)/a")
            try driver.deleteVolume("\(root)/a")
            #expect(try FileTree.list(root) == [])
        }
    }

    @Test func aPlainDirectoryInItsPlaceIsRemoved() throws {
        try DriverCase.btrfs.with { root in
            try FileTree.makeDirectory("\(root)/half/made", parents: true)
            try driver.createVolume("\(root)/half/made/volume")
            try driver.deleteVolume("\(root)/half")
            #expect(try FileTree.list(root) == [])
            let failure = #expect(throws: SystemError.self) {
                try FileTree.makeDirectory("\(root)/plain")
                try driver.copyVolume(from: "\(root)/plain", to: "\(root)/copy")
            }
            #expect(failure?.call == "create snapshot")
        }
    }

    @Test(.enabled(if: TestEnvironment.hasOwner, TestEnvironment.noRoot))
    func withoutThePermissiveMountOptionAnOwnerDeletesFileByFile() async throws {
        try await DriverCase.btrfs.with { root in
            let device = try #require(try MountTable.mount(at: root)?.source)
            try SystemTool.run("umount", [root])
            // A device of its own, as the unmounted one is detached.
            let image = FilePath.join(FilePath.parent(of: root), "fs.img")
            #expect(device.hasPrefix("/dev/loop"))
            try SystemTool.run("mount", ["-o", "loop,noatime", image, root])
            await #expect(processExitsWith: .success) { [root = root as String] in
                try #require(try SystemUser.named(TestEnvironment.owner.name)).become()
                let driver = BtrfsDriver()
                try driver.createVolume("\(root)/a")
                try SampleTree.fill("\(root)/a")
                try driver.createVolume("\(root)/a/nested")
                try driver.copyVolume(from: "\(root)/a", to: "\(root)/b")
                try driver.freeze("\(root)/b")
                try driver.deleteVolume("\(root)/b")
                try driver.deleteVolume("\(root)/a")
                #expect(try FileTree.list(root) == [])
            }
        }
    }

    @Test func filesWithoutChecksumsAreClonedToo() throws {
        try DriverCase.reflinkOnBtrfs.with { root in
            let driver = ReflinkDriver()
            try driver.createVolume("\(root)/a")
            try SystemTool.run("chattr", ["+C", "\(root)/a"])
            let bytes = [UInt8](repeating: 4, count: 100_000)
            try DurableFile.replace("\(root)/a/nocow", bytes: bytes)
            try driver.copyVolume(from: "\(root)/a", to: "\(root)/b")
            #expect(try FileTree.read("\(root)/b/nocow") == bytes)
        }
    }
}

@Suite(.keepsEvidence)
struct TreeCopyTests {
    @Test func reflinksWhereThereAreNoneAreAnError() throws {
        try TestDirectory.with { directory in
            let root = directory.path
            try #require(try DiskSpace.at(root).filesystem != .xfs && DiskSpace.at(root).filesystem != .btrfs)
            try DurableFile.replace("\(try directory.subdirectory("a"))/file", text: "x")
            let failure = #expect(throws: SystemError.self) {
                try ReflinkDriver().copyVolume(from: "\(root)/a", to: "\(root)/b")
            }
            #expect(failure?.errno == EOPNOTSUPP)
            try ReflinkDriver().deleteVolume("\(root)/b")
        }
    }

    @Test(.enabled(if: TestEnvironment.canMount, TestEnvironment.noMount))
    func aMountInsideIsAnErrorAndNotLeftOut() throws {
        try TestDirectory.with { directory in
            let inside = try directory.subdirectory("a/inside")
            try SystemTool.run("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", inside])
            defer { _ = try? SystemTool.run("umount", [inside]) }
            let failure = #expect(throws: SystemError.self) {
                try CopyDriver().copyVolume(from: "\(directory.path)/a", to: "\(directory.path)/b")
            }
            #expect(failure?.errno == EXDEV)
            #expect(failure?.path == inside)
        }
    }

    @Test func socketsAreLeftOutAndHolesStayHoles() throws {
        try TestDirectory.with { directory in
            let root = directory.path
            _ = try directory.subdirectory("a")
            #expect(mkfifo("\(root)/a/pipe", 0o600) == 0)
            let sparse = try Descriptor.open("\(root)/a/sparse", O_RDWR | O_CREAT)
            try sparse.truncate(to: 1 << 30)
            try sparse.writeAll([1, 2, 3], at: 500 << 20)
            try sparse.sync()
            try CopyDriver().copyVolume(from: "\(root)/a", to: "\(root)/b")
            #expect(try FileTree.list("\(root)/b") == ["sparse"])
            let status = try FileTree.status("\(root)/b/sparse")
            #expect(status.bytes == 1 << 30)
            #expect(status.allocatedBytes < 1 << 20)
            let copy = try Descriptor.open("\(root)/b/sparse", O_RDONLY)
            #expect(try copy.bytes(at: 500 << 20, count: 4) == [1, 2, 3, 0])
        }
    }

    @Test func betweenFilesystemsBytesAreCopied() throws {
        try TestDirectory.with { directory in
            let other = "/dev/shm/pgarchive-test-\(getpid())"
            try #require(FileTree.isDirectory("/dev/shm"))
            defer { try? FileTree.removeTree(other) }
            _ = try directory.subdirectory("a")
            try SampleTree.fill("\(directory.path)/a")
            try CopyDriver().copyVolume(from: "\(directory.path)/a", to: other)
            #expect(try SampleTree.describe(other) == SampleTree.describe("\(directory.path)/a"))
        }
    }
}
