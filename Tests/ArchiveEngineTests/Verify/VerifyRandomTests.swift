import ArchiveEngine
import ArchiveModel
import ArchiveTesting
import Foundation
import Testing
import WALFormat
import WALStore

/// Random damage against a model that knows what was done, and any bytes at all.
struct VerifyRandomTests {
    private struct Damage {
        let segment: UInt64
        let kinds: Set<Finding.Kind>
        let what: String
    }

    @Test(arguments: 1...40)
    func findingsAreWhatWasDone(seed: Int) throws {
        try CraftedArchive.with(segments: 9, seed: UInt64(seed)) { archive in
            var random = SeededNumbers(seed: UInt64(seed) &+ 1000)
            var damages: [Damage] = []
            // Never two neighbours, so that each finding is of one damage.
            for number in stride(from: archive.first + 1, through: archive.first + 7, by: 3)
            where random.next(3) > 0 {
                damages.append(try damage(archive, number, &random))
            }
            let report = try archive.verify()
            let said = report.findings.map { "\($0.kind) \($0.segment ?? "") \($0.what)" }
            for damage in damages {
                let name = archive.name(damage.segment).description
                let found = report.findings.contains { finding in
                    damage.kinds.contains(finding.kind) && finding.segment ?? "" <= name
                        && finding.through ?? "" >= name
                }
                #expect(found, "\(damage.what) of \(name) is not among \(said)")
            }
            for finding in report.findings {
                let isOurs = damages.contains { damage in
                    let name = archive.name(damage.segment).description
                    return finding.segment ?? "" <= name && finding.through ?? "" >= name
                }
                #expect(isOurs, "\(finding.what) was never done")
            }
            try checkRanges(report, archive, damages)
        }
    }

    /// What is called lost begins and ends at records, and holds all that was damaged.
    private func checkRanges(_ report: VerifyReport, _ archive: CraftedArchive, _ damages: [Damage]) throws {
        let starts = Set(archive.craft.records.map(\.start))
        for finding in report.findings {
            let from = try #require(finding.from)
            let to = try #require(finding.to)
            #expect(from < to)
            #expect(starts.contains(from), "\(finding.what): \(from) is no record's start")
            #expect(starts.contains(to) || to >= archive.craft.position, "\(finding.what): \(to) is no record's start")
        }
        var ranges = report.findings.compactMap { finding in
            finding.from.flatMap { from in finding.to.map { (from, $0) } }
        }
        ranges.sort { $0.0 < $1.0 }
        for (one, other) in zip(ranges, ranges.dropFirst()) { #expect(one.1 <= other.0, "\(ranges)") }
    }

    private func damage(_ archive: CraftedArchive, _ number: UInt64, _ random: inout SeededNumbers) throws -> Damage {
        let name = archive.name(number)
        let start = archive.size.start(of: number)
        switch random.next(6) {
        case 0:
            try FileManager.default.removeItem(atPath: archive.file(name))
            return Damage(segment: number, kinds: [.missing], what: "removal")
        case 1:
            let length = random.next(1 << 20)
            try archive.change(name) { $0 = $0.prefix(length) }
            return Damage(segment: number, kinds: [.wrongSize], what: "cut to \(length)")
        case 2:
            let page = random.next(128) * 8192
            try archive.change(name) { $0.replaceSubrange(page..<(page + 8192), with: Data(count: 8192)) }
            return Damage(segment: number, kinds: [.damaged], what: "zero page at \(page)")
        case 3:
            try WALDirectory(archive.path, segmentSize: archive.size).compress(name)
            try archive.change("\(name).zst") { $0 = $0.prefix($0.count / 2) }
            return Damage(segment: number, kinds: [.unreadable, .damaged], what: "half a compressed file")
        case 4:
            var other = archive
            other.random = SeededNumbers(seed: random.next())
            other.craft = WALCraft(start: archive.craft.start, segmentSize: archive.size, systemIdentifier: 99)
            other.grow(to: archive.craft.position)
            try archive.change(name) { $0 = Data(other.content(number)) }
            return Damage(segment: number, kinds: [.otherCluster], what: "another cluster's")
        default:
            // A byte of a record: nobody reads what lies between them, nor all of a page's header.
            let ours = archive.craft.records.filter { $0.start >= start && $0.end <= start.advanced(by: 1 << 20) }
            let record = try #require(ours.randomElement(using: &random))
            var offset = Int(record.start.bytes(since: start)) + random.next(Int(record.totalLength))
            while offset % 8192 < 40 { offset += 1 }
            let end = Int(record.end.bytes(since: start)) - 8
            offset = min(offset, max(Int(record.start.bytes(since: start)), end))
            try archive.change(name) { $0[offset] ^= UInt8(1 << random.next(8)) }
            return Damage(segment: number, kinds: [.damaged], what: "bit at \(offset)")
        }
    }

    /// Whatever the bytes are, there is an answer.
    @Test(arguments: 1...30)
    func anyBytesGetAnAnswer(seed: Int) throws {
        try CraftedArchive.with(segments: 4, seed: UInt64(seed)) { archive in
            var random = SeededNumbers(seed: UInt64(seed) &+ 77)
            for name in try FileManager.default.contentsOfDirectory(atPath: archive.path) where random.next(2) == 0 {
                try archive.change(name) { data in
                    for _ in 0..<(1 + random.next(40)) {
                        guard !data.isEmpty else { return }
                        let at = random.next(data.count)
                        switch random.next(4) {
                        case 0: data[at] = UInt8(truncatingIfNeeded: random.next())
                        case 1: data.removeSubrange(at..<min(data.count, at + random.next(9000)))
                        case 2:
                            let count = random.next(9000)
                            data.insert(
                                contentsOf: (0..<count).map { _ in UInt8(truncatingIfNeeded: random.next()) },
                                at: at
                            )
                        default: data = data.prefix(at)
                        }
                        data = Data(data)
                    }
                }
            }
            for name in [
                "FFFFFFFFFFFFFFFFFFFFFFFF", "0000000100000000FFFFFFFF.partial", "00000001FFFFFFFF000000FF",
                "00000009.history", "FFFFFFFF.history",
            ]
            where random.next(2) == 0 {
                _ = FileManager.default.createFile(
                    atPath: archive.file(name),
                    contents: Data((0..<random.next(99)).map { _ in UInt8(truncatingIfNeeded: random.next()) })
                )
            }
            for deep in [false, true] {
                do {
                    _ = try archive.verify(deep: deep)
                } catch let error as ArchiveError {
                    #expect(error.hint != nil)
                }
            }
        }
    }
}
