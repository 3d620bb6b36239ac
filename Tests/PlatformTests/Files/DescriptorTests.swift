import ArchiveTesting
import Glibc
import Platform
import Testing

@Suite(.keepsEvidence)
struct DescriptorTests {
    @Test func writesAndReadsAtOffsets() throws {
        try TestDirectory.with { directory in
            let file = try Descriptor.open("\(directory.path)/data", O_RDWR | O_CREAT)
            try file.writeAll(Array("hello".utf8), at: 3)
            #expect(try file.size() == 8)
            #expect(try file.bytes(at: 2, count: 100) == [0] + Array("hello".utf8))
            #expect(try file.bytes(at: 50, count: 10) == [])
            try file.truncate(to: 4)
            #expect(try file.bytes(count: 10) == [0, 0, 0, UInt8(ascii: "h")])
            try file.syncData()
            try file.sync()
            try file.syncFilesystem()
            try file.allocate(4096)
            #expect(try file.size() == 4096)
            try file.close()
        }
    }

    @Test func isClosedWhenItGoesOutOfScope() throws {
        let number = try onlyTheNumber()
        #expect(fcntl(number, F_GETFD) == -1)
    }

    private func onlyTheNumber() throws -> Int32 {
        // High up, where no other test of this process gets it meanwhile.
        let null = try Descriptor.open("/dev/null", O_RDONLY)
        let high = Descriptor(owning: fcntl(null.raw, F_DUPFD_CLOEXEC, 900))
        #expect(fcntl(high.raw, F_GETFD) == FD_CLOEXEC)
        return high.raw
    }

    @Test func errorsSayWhatAndWhere() {
        let failure = #expect(throws: SystemError.self) { _ = try Descriptor.open("/nowhere/file", O_RDONLY).raw }
        #expect(failure?.description == "cannot open /nowhere/file: No such file or directory")
        #expect(failure?.isNotFound == true)
    }

    @Test func aFullDiskIsAnErrorAndNotAShortWrite() throws {
        let full = try Descriptor.open("/dev/full", O_WRONLY)
        var failure: SystemError?
        do throws(SystemError) { try full.writeAll([1, 2, 3]) } catch { failure = error }
        #expect(failure?.isFull == true)
    }
}
