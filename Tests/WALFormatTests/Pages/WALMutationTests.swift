import ArchiveTesting
import Testing
import WALFormat

/// Real and crafted WAL with seeded damage: never a trap, never a record that was not there.
@Suite struct WALMutationTests {
    @Test(arguments: Fixture.all)
    func damagedFixtures(fixture: Fixture) throws {
        let (start, bytes) = try fixture.wal(timeline: 1)
        let truth = records(bytes, from: start)
        var random = SeededGenerator(seed: UInt64(fixture.major.rawValue))
        for round in 0..<120 {
            check(bytes, truth.records, truth.fault, start, &random, "round \(round)")
        }
    }

    @Test(arguments: 0..<40)
    func damagedCrafts(seed: Int) {
        var random = SeededGenerator(seed: UInt64(seed) &+ 1000)
        let craft = CraftedWALTests.random(&random)
        for round in 0..<10 {
            check(craft.bytes, craft.records, nil, craft.start, &random, "seed \(seed), round \(round)")
        }
    }

    @Test func noise() {
        var random = SeededGenerator(seed: 5)
        for round in 0..<200 {
            var bytes = (0..<2000).map { _ in UInt8.random(in: 0...255, using: &random) }
            if round % 2 == 0 {
                // Behind a page header that is right.
                bytes.replaceSubrange(0..<40, with: ScanFaultTests.craft.bytes[..<40])
            }
            #expect(records(bytes, from: ScanFaultTests.start).records.isEmpty)
        }
    }

    private func records(_ bytes: [UInt8], from start: LSN) -> (records: [WALRecord], fault: ScanFault?, end: LSN) {
        var scanner = SegmentScanner(startingAt: start, segmentSize: Fixture.size)
        var found: [WALRecord] = []
        bytes.withUnsafeBytes { all in
            scanner.consume(all) { record, body in
                for major in PostgresMajor.allCases {
                    _ = WALEvent.decode(record, body: body, major: major)
                }
                found.append(record)
                return .proceed
            }
        }
        return (found, scanner.fault, scanner.recordEnd)
    }

    private func check(
        _ intact: [UInt8],
        _ truth: [WALRecord],
        _ trueFault: ScanFault?,
        _ start: LSN,
        _ random: inout SeededGenerator,
        _ what: String
    ) {
        var bytes = intact
        let first = damage(&bytes, &random)
        let place = start.advanced(by: UInt64(first))
        let found = records(bytes, from: start)
        #expect(found.records.elementsEqual(truth.prefix(found.records.count)), "\(what): a record that was not there")
        if found.records.count < truth.count {
            // Something was lost, and it was lost at the damage and not before: all before it is found.
            let before = truth.prefix { $0.end <= place }.count
            #expect(found.records.count >= before, "\(what): an intact record is missing")
            let next = truth[found.records.count]
            #expect(next.end > place || found.fault == nil, "\(what): \(next) should have been found")
        }
    }

    /// Changes bytes; the result is the offset of the first.
    private func damage(_ bytes: inout [UInt8], _ random: inout SeededGenerator) -> Int {
        let place = Int.random(in: 0..<bytes.count, using: &random)
        switch Int.random(in: 0..<7, using: &random) {
        case 0:
            bytes[place] ^= 1 << UInt8.random(in: 0...7, using: &random)
        case 1:
            let count = min(Int.random(in: 1...100, using: &random), bytes.count - place)
            for offset in place..<place + count { bytes[offset] = UInt8.random(in: 0...255, using: &random) }
        case 2:
            let count = min(Int.random(in: 1...20_000, using: &random), bytes.count - place)
            for offset in place..<place + count { bytes[offset] = 0 }
        case 3:
            bytes.removeSubrange(place..<min(bytes.count, place + Int.random(in: 1...100, using: &random)))
        case 4:
            bytes.removeSubrange(place...)
        case 5:
            // A page header, where damage has the most ways.
            let page = place / 8192 * 8192
            let field = page + Int.random(in: 0..<min(40, bytes.count - page), using: &random)
            bytes[field] = UInt8.random(in: 0...255, using: &random)
            return page
        default:
            // A page from elsewhere.
            let pages = bytes.count / 8192
            guard pages > 1 else { return bytes.count }
            let target = Int.random(in: 0..<pages, using: &random) * 8192
            let source = Int.random(in: 0..<pages, using: &random) * 8192
            bytes.replaceSubrange(target..<target + 8192, with: Array(bytes[source..<source + 8192]))
            return target
        }
        return place
    }
}
