import ArchiveTesting
import Glibc
import Platform
import Testing

@Suite(.serialized, .keepsEvidence, .enabled(if: TestEnvironment.canMount, TestEnvironment.noMount))
struct LoopPoolTests {
    private func owner() throws -> SystemUser {
        try #require(try SystemUser.named(TestEnvironment.owner.name))
    }

    private func withPool(_ body: (LoopPool) throws -> Void) throws {
        try TestDirectory.with { directory in
            let pool = try LoopPool.create(
                image: "\(directory.path)/pool.img",
                bytes: 256 << 20,
                mountPoint: "\(directory.path)/mount",
                owner: owner()
            )
            defer { try? pool.remove() }
            try body(pool)
        }
    }

    @Test func isMadeSparseAndMountedForItsOwner() throws {
        try withPool { pool in
            let image = try FileTree.status(pool.imagePath)
            #expect(image.mode == 0o600)
            #expect(image.bytes == 256 << 20)
            #expect(image.allocatedBytes < 64 << 20)
            let top = try FileTree.status(pool.mountPoint)
            #expect(top.uid == (try owner().uid))
            #expect(top.mode == 0o700)
            let mount = try #require(try MountTable.mount(at: pool.mountPoint))
            #expect(mount.filesystem == "btrfs")
            #expect(mount.options.contains("noatime"))
            #expect(mount.options.contains("user_subvol_rm_allowed"))
            #expect(try DiskSpace.at(pool.mountPoint).filesystem == .btrfs)
            #expect(try StorageProbe.drivers(at: pool.mountPoint).map(\.kindName) == ["btrfs", "reflink", "copy"])
            #expect(try FileTree.list(pool.mountPoint) == [])
        }
    }

    @Test func unmountingLeavesNoLoopDeviceAndKeepsTheContent() throws {
        try withPool { pool in
            try DurableFile.replace("\(pool.mountPoint)/file", text: "kept")
            try pool.mount()
            try pool.unmount()
            #expect(try !pool.isMounted)
            #expect(MountedFilesystems.loopImages(under: FilePath.parent(of: pool.imagePath)) == [])
            try pool.unmount()
            #expect(try FileTree.list(pool.mountPoint) == [])
            try pool.mount()
            #expect(try FileTree.readText("\(pool.mountPoint)/file") == "kept")
            #expect(try FileTree.status(pool.mountPoint).uid == owner().uid)
            try pool.remove()
            #expect(!FileTree.exists(pool.imagePath))
            #expect(MountedFilesystems.loopImages(under: FilePath.parent(of: pool.imagePath)) == [])
            try pool.remove()
        }
    }

    @Test func aPoolInUseIsNotUnmounted() throws {
        try withPool { pool in
            let open = try Descriptor.open("\(pool.mountPoint)/file", O_RDWR | O_CREAT)
            let failure = #expect(throws: SystemError.self) { try pool.unmount() }
            #expect(failure?.errno == EBUSY)
            #expect(failure?.path == pool.mountPoint)
            #expect(try pool.isMounted)
            try open.close()
            try pool.unmount()
        }
    }

    @Test func refusesWhatWouldHarm() throws {
        try TestDirectory.with { directory in
            let root = directory.path
            try DurableFile.replace("\(root)/taken.img", text: "precious")
            try DurableFile.replace("\(try directory.subdirectory("full"))/file", text: "x")
            let cases: [(String, UInt64, String, Int32)] = [
                ("\(root)/taken.img", 256 << 20, "\(root)/mount", EEXIST),
                ("\(root)/new.img", 1 << 20, "\(root)/mount", EINVAL),
                ("\(root)/new.img", 256 << 20, "\(root)/full", ENOTEMPTY),
                ("\(root)/none/new.img", 256 << 20, "\(root)/mount", ENOENT),
            ]
            for (image, bytes, mountPoint, errno) in cases {
                let failure = #expect(throws: SystemError.self) {
                    try LoopPool.create(image: image, bytes: bytes, mountPoint: mountPoint, owner: owner())
                }
                #expect(failure?.errno == errno)
            }
            #expect(try FileTree.list(root) == ["full", "taken.img"])
            #expect(try FileTree.readText("\(root)/taken.img") == "precious")
        }
    }

    @Test func aBrokenImageIsNamedByTheTool() throws {
        try TestDirectory.with { directory in
            let image = "\(directory.path)/broken.img"
            try DurableFile.replace(image, bytes: [UInt8](repeating: 0, count: 1 << 20))
            let failure = #expect(throws: ToolFailure.self) {
                try LoopPool(imagePath: image, mountPoint: "\(directory.path)/mount").mount()
            }
            #expect(failure?.tool == "mount")
            #expect(MountedFilesystems.loopImages(under: directory.path) == [])
        }
    }
}
