import ArchiveTesting
import Foundation
import Testing
import WALFormat

/// Any bytes under any name give a value or an error, and never a trap.
@Suite struct FormatFuzzTests {
    /// Names are taken to pieces and put together again: what is accepted is what it says.
    @Test func names() {
        var random = SeededGenerator(seed: 21)
        let seeds = [
            "000000010000000000000001", "0000000A0000001200000034.partial", "000000010000000000000001.zst",
            "000000010000000000000001.gz.partial", "FFFFFFFFFFFFFFFFFFFFFFFF.lz4", "0000000A.history",
            "000000010000000000000001.00000028.backup", "7FFFFFFF/FFFFFFFF", "0/16B3748",
        ]
        for _ in 0..<60_000 {
            let text = String(
                decoding: mutated(Array((seeds.randomElement(using: &random) ?? "").utf8), &random),
                as: UTF8.self
            )
            if let name = ArchiveFileName(text) { #expect(name.description == text) }
            if let name = SegmentName(text) {
                #expect(name.description == text)
                for size in ArchiveNameTests.sizes {
                    guard let start = name.start(size: size) else { continue }
                    _ = size.segmentEnd(of: start)
                    #expect(SegmentName(timeline: name.timeline, containing: start, size: size) == name)
                }
            }
            if let position = LSN(text) { #expect(LSN(position.description) == position) }
        }
    }

    @Test func times() {
        var random = SeededGenerator(seed: 22)
        let seeds = ["2026-11-21T08:23:50.123456Z", "-290307-12-31T23:59:59.999999Z", "294247-01-10T04:00:54.775807Z"]
        for _ in 0..<20_000 {
            let text = String(
                decoding: mutated(Array((seeds.randomElement(using: &random) ?? "").utf8), &random),
                as: UTF8.self
            )
            if let time = PostgresTime(text) { #expect(PostgresTime(time.description) == time) }
        }
        for _ in 0..<20_000 {
            let raw = Int64.random(in: .min ... .max, using: &random) >> Int64.random(in: 0...40, using: &random)
            let time = PostgresTime(rawValue: raw)
            #expect(PostgresTime(time.description) == time)
            #expect(PostgresTime(unixMicroseconds: time.unixMicroseconds) == time || abs(raw) > Int64.max / 2)
        }
        for edge in [Int64.min, .min + 1, .max - 1, .max] {
            _ = PostgresTime(unixMicroseconds: edge)
            _ = PostgresTime(rawValue: edge).unixMicroseconds
            _ = PostgresTime(rawValue: edge).description
        }
    }

    /// Damage, and values that nobody expects below a checksum that is right.
    @Test(arguments: Fixture.all, ControlFileTests.names)
    func controlFiles(fixture: Fixture, name: String) throws {
        let intact = try fixture.decompressed("\(name).zst")
        let checksum = fixture.major == .v18 ? 292 : 288
        var random = SeededGenerator(seed: UInt64(fixture.major.rawValue))
        for round in 0..<3000 {
            var bytes = mutated(intact, &random)
            let isSigned = round % 2 == 0 && bytes.count >= checksum + 4
            if isSigned {
                bytes.replaceSubrange(8..<12, with: intact[8..<12])
                for place in stride(from: 0, to: checksum, by: 8) where Int.random(in: 0..<12, using: &random) == 0 {
                    guard place != 8 else { continue }
                    let value = Self.edges.randomElement(using: &random) ?? 0
                    withUnsafeBytes(of: value.littleEndian) { bytes.replaceSubrange(place..<place + 8, with: $0) }
                }
                let sum = bytes[..<checksum].withUnsafeBytes { CRC32C.checksum($0) }
                withUnsafeBytes(of: sum.littleEndian) { bytes.replaceSubrange(checksum..<checksum + 4, with: $0) }
            }
            do {
                let control = try bytes.withUnsafeBytes { try ControlFile($0) }
                _ = "\(control)"
                #expect(isSigned || bytes.prefix(checksum + 4) == intact.prefix(checksum + 4))
            } catch let error as FormatError {
                #expect(!"\(error)".isEmpty)
            }
        }
    }

    @Test(arguments: Fixture.all)
    func historiesAndLabels(fixture: Fixture) throws {
        var random = SeededGenerator(seed: 23)
        let history = Array(try fixture.text("00000002.history").utf8)
        let long = Array(
            try (1..<300).map { try #require(LSN("\($0)/0")) }.enumerated().map {
                "\($0 + 1)\t\($1)\tno recovery target specified\n"
            }.joined().utf8
        )
        let label = Array(try fixture.text("backup_label").utf8)
        for round in 0..<1500 {
            let text = String(decoding: mutated(round % 4 == 0 ? long : history, &random), as: UTF8.self)
            if let read = try? TimelineHistory(timeline: TimelineID(300), text: text) {
                #expect(read.ancestors.map(\.timeline) == read.ancestors.map(\.timeline).sorted())
                _ = read.timeline(at: LSN(.random(in: 0 ... .max, using: &random)))
            }
            _ = try? BackupLabel(String(decoding: mutated(label, &random), as: UTF8.self))
        }
    }

    private static let edges: [UInt64] = [
        0, 1, .max, 0x7FFF_FFFF_FFFF_FFFF, 0x8000_0000_0000_0000, 0xFFFF_FFFF, 0x8000_0000_7FFF_FFFF,
    ]

    /// A few changes at places of any kind.
    private func mutated(_ intact: [UInt8], _ random: inout SeededGenerator) -> [UInt8] {
        var bytes = intact
        for _ in 0..<Int.random(in: 1...3, using: &random) {
            guard !bytes.isEmpty else { return bytes }
            let place = Int.random(in: 0..<bytes.count, using: &random)
            let count = min(Int.random(in: 1...8, using: &random), bytes.count - place)
            switch Int.random(in: 0..<7, using: &random) {
            case 0: bytes[place] ^= 1 << UInt8.random(in: 0...7, using: &random)
            case 1: bytes[place] = UInt8.random(in: 0...255, using: &random)
            case 2: bytes.removeSubrange(place..<place + count)
            case 3: bytes.insert(contentsOf: bytes[place..<place + count], at: place)
            case 4: bytes.removeSubrange(place...)
            case 5:
                bytes[place] = Array("0123456789ABCDEFabcdef./-:\n\t\0\u{e9}".utf8).randomElement(using: &random) ?? 0
            default: bytes.replaceSubrange(place..<place + count, with: [UInt8](repeating: 0xFF, count: count))
            }
        }
        return bytes
    }
}
