import ArchiveTesting
import CCRC32C
import Testing
import WALFormat

@Suite struct CRC32CTests {
    /// RFC 3720, B.4, and the check value of the CRC catalogue.
    static let known: [([UInt8], UInt32)] = [
        (Array("123456789".utf8), 0xE306_9283),
        ([UInt8](repeating: 0, count: 32), 0x8A91_36AA),
        ([UInt8](repeating: 0xFF, count: 32), 0x62A8_AB43),
        ([UInt8](0..<32), 0x46DD_794E),
        ([UInt8]((0..<32).reversed()), 0x113F_DB5C),
        ([], 0),
    ]

    @Test(arguments: known)
    func knownValues(bytes: [UInt8], expected: UInt32) {
        #expect(bytes.withUnsafeBytes { CRC32C.checksum($0) } == expected)
    }

    /// Every length around the borders of the three lanes, at every alignment, with and without instructions.
    @Test func instructionsAgreeWithTables() {
        var random = SeededGenerator(seed: 1)
        let bytes = (0..<4096).map { _ in UInt8.random(in: 0...255, using: &random) }
        bytes.withUnsafeBytes { all in
            for length in Array(0...40) + Array(760...780) + Array(1530...1550) + [2304, 3000, 4000] {
                for start in 0..<8 {
                    let part = UnsafeRawBufferPointer(rebasing: all[start..<min(start + length, all.count)])
                    let state = UInt32.random(in: 0...UInt32.max, using: &random)
                    let fast = pgarchive_crc32c_update(state, part.baseAddress, part.count)
                    let slow = pgarchive_crc32c_update_portable(state, part.baseAddress, part.count)
                    #expect(fast == slow, "length \(length), start \(start)")
                }
            }
        }
    }

    /// A record's checksum in one call, for every length around the lanes' borders.
    @Test func recordsAtOnce() {
        var random = SeededGenerator(seed: 2)
        let bytes = (0..<4096).map { _ in UInt8.random(in: 0...255, using: &random) }
        bytes.withUnsafeBytes { all in
            for length in Array(24...260) + Array(780...810) + [3000, 4000] {
                var crc = CRC32C()
                crc.update(UnsafeRawBufferPointer(rebasing: all[24..<length]))
                crc.update(UnsafeRawBufferPointer(rebasing: all[..<20]))
                #expect(pgarchive_crc32c_record(all.baseAddress, length) == crc.value, "length \(length)")
            }
        }
    }

    @Test func partsGiveTheWhole() {
        let bytes = (0..<2000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        bytes.withUnsafeBytes { all in
            let whole = CRC32C.checksum(all)
            for cut in stride(from: 0, through: all.count, by: 37) {
                var crc = CRC32C()
                crc.update(UnsafeRawBufferPointer(rebasing: all[..<cut]))
                crc.update(UnsafeRawBufferPointer(rebasing: all[cut...]))
                #expect(crc.value == whole)
            }
        }
    }
}
