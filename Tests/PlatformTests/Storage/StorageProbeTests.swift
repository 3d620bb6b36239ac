import ArchiveTesting
import Glibc
import Platform
import Testing

@Suite(.serialized, .keepsEvidence)
struct StorageProbeTests {
    @Test(
        .enabled(if: TestEnvironment.canMount, TestEnvironment.noMount),
        arguments: [
            (TestFilesystem.Kind.btrfs, ["btrfs", "reflink", "copy"], FilesystemKind.btrfs),
            (.xfs, ["reflink", "copy"], .xfs), (.tmpfs, ["copy"], .other("tmpfs")),
        ]
    )
    func eachFilesystemHasItsDrivers(kind: TestFilesystem.Kind, drivers: [String], name: FilesystemKind) throws {
        try TestDirectory.with { directory in
            try TestFilesystem.with(kind, in: directory, megabytes: 512) { filesystem in
                #expect(try StorageProbe.drivers(at: filesystem.path).map(\.kindName) == drivers)
                #expect(try FileTree.list(filesystem.path) == [])
                let space = try DiskSpace.at(filesystem.path)
                #expect(space.filesystem == name)
                #expect(space.totalBytes > 300 << 20 && space.totalBytes <= 512 << 20)
                #expect(space.freeBytes <= space.totalBytes)
            }
        }
    }

    @Test func aPlaceThatCannotBeWrittenIsAnError() {
        let failure = #expect(throws: SystemError.self) { try StorageProbe.drivers(at: "/proc") }
        #expect(failure != nil)
        #expect(throws: SystemError.self) { try DiskSpace.at("/nowhere") }
    }

    @Test func driversByName() {
        for name in ["btrfs", "reflink", "copy"] { #expect(StorageProbe.driver(named: name)?.kindName == name) }
        #expect(StorageProbe.driver(named: "zfs") == nil)
        #expect(StorageProbe.driver(named: "btrfs")?.isAtomic == true)
        #expect(StorageProbe.driver(named: "reflink")?.isAtomic == false)
    }

    @Test func mountLinesAreParsed() throws {
        let text = """
            36 35 98:0 /mnt1 /mnt\\0402/a\\134b rw,noatime master:1 - ext3 /dev/root rw,errors=continue
            37 35 0:50 / /tmp rw shared:2 master:3 - tmpfs tmpfs rw,size=1m
            38 35 0:51 / /none rw - proc none
            nonsense
            40 35 0:52 / /short
            """
        let entries = MountTable.parse(text)
        #expect(entries.map(\.mountPoint) == ["/mnt 2/a\\b", "/tmp", "/none"])
        #expect(entries.first?.root == "/mnt1")
        #expect(entries.first?.source == "/dev/root")
        #expect(entries.first?.options == ["rw", "noatime", "rw", "errors=continue"])
        #expect(entries.map(\.filesystem) == ["ext3", "tmpfs", "proc"])
        #expect(try MountTable.isMountPoint("/proc"))
        #expect(try MountTable.isMountPoint("/proc/../proc/"))
        #expect(try !MountTable.isMountPoint("/proc/self"))
        #expect(try !MountTable.isMountPoint("/nowhere"))
    }
}
