import ArchiveModel
import ArchiveTesting
import Foundation
import Testing
import WALFormat
import WALStore

/// The parallel survey against a simple model, and against itself cut in other ways.
@Suite struct WALSurveyTests {
    /// All that a survey says of a segment.
    struct Said: Equatable {
        let name: SegmentName
        let outcome: String
        let summary: SegmentSummary?
        let events: [SurveyEvent]
        let openRecord: LSN?
        let isJoined: Bool
        let statistics: RecordStatistics

        var brief: String {
            "\(name) \(outcome), \(statistics.total.records) records to \(summary?.end ?? .invalid), \(events.count) "
                + "events, open \(openRecord ?? .invalid)\(isJoined ? ", joined" : "")"
        }

        init(_ segment: SurveyedSegment) {
            name = segment.name
            outcome = "\(segment.outcome)"
            summary = segment.summary
            events = segment.events
            openRecord = segment.openRecord
            isJoined = segment.isJoined
            statistics = segment.statistics
        }
    }

    static func survey(
        _ path: String,
        _ segments: ClosedRange<UInt64>,
        from state: SurveyState = SurveyState(),
        threads: Int = 1,
        pieceBytes: UInt64 = 1 << 20,
        each: (SurveyedSegment) throws -> Void = { _ in }
    ) throws -> (said: [Said], state: SurveyState) {
        let directory = WALDirectory(path, segmentSize: SurveyWorkload.size)
        let survey = WALSurvey(
            directory,
            along: TimelinePath(TimelineID(1)),
            threads: threads,
            pieceBytes: pieceBytes
        )
        var state = state
        var said: [Said] = []
        try survey.run(segments, from: &state) { segment in
            said.append(Said(segment))
            try each(segment)
            return .proceed
        }
        return (said, state)
    }

    static func write(_ workload: SurveyWorkload, to path: String) throws -> ClosedRange<UInt64> {
        let segments = workload.segments
        for (index, segment) in segments.enumerated() {
            let isLast = index == segments.count - 1
            let name = "\(path)/\(segment.name)\(isLast ? ".partial" : "")"
            try Data(segment.bytes).write(to: URL(fileURLWithPath: name))
        }
        let first = try #require(segments.first?.name.number(size: SurveyWorkload.size))
        return first...(first + UInt64(segments.count) - 1)
    }

    @Test(arguments: 0..<12)
    func findsWhatTheModelExpects(seed: Int) throws {
        try TestDirectory.with { directory in
            let workload = SurveyWorkload(seed: UInt64(seed))
            let range = try Self.write(workload, to: directory.path)
            let (said, state) = try Self.survey(directory.path, range, threads: 2)
            let events = said.flatMap(\.events)
            #expect(Set(events) == Set(workload.expected))
            #expect(events.count == workload.expected.count)
            let places = events.map(\.start)
            #expect(places == places.sorted())
            #expect(events.count > 10)
            #expect(state.open.isEmpty)
            let total = said.reduce(into: RecordStatistics()) { $0.add($1.statistics) }
            #expect(total.total.records == UInt64(workload.craft.records.count))
            #expect(said.reduce(0) { $0 + ($1.summary?.commits ?? 0) } == workload.commits)
            #expect(said.reduce(0) { $0 + ($1.summary?.aborts ?? 0) } == workload.aborts)
            #expect(said.dropLast().allSatisfy { $0.outcome == "valid" })
            #expect(said.dropFirst().count { $0.isJoined } == said.count - 1)
        }
    }

    /// Any number of threads, any pieces, and any stop with a saved state between: the same.
    @Test(arguments: 0..<8)
    func anySplitGivesTheSame(seed: Int) throws {
        try TestDirectory.with { directory in
            let workload = SurveyWorkload(seed: UInt64(seed) + 100)
            let range = try Self.write(workload, to: directory.path)
            let whole = try Self.survey(directory.path, range)
            for (threads, pieceBytes) in [(1, 8192), (2, 1 << 20), (3, 65_536), (4, 24_576)] as [(Int, UInt64)] {
                let other = try Self.survey(directory.path, range, threads: threads, pieceBytes: pieceBytes)
                #expect(other.said == whole.said, "\(threads) threads, pieces of \(pieceBytes)")
                #expect(other.state == whole.state)
            }
            var said: [Said] = []
            var state = SurveyState()
            for number in range {
                let saved = try JSONDecoder().decode(SurveyState.self, from: JSONEncoder().encode(state))
                #expect(saved == state)
                let next = try Self.survey(directory.path, number...number, from: saved)
                said += next.said
                state = next.state
            }
            #expect(said == whole.said)
            #expect(state == whole.state)
        }
    }

    /// Damage is found where one scan in order finds it, however the work was divided.
    @Test(arguments: 0..<30)
    func damageIsFoundWhereItIs(seed: Int) throws {
        try TestDirectory.with { directory in
            var random = SeededGenerator(seed: UInt64(seed) + 7)
            let workload = SurveyWorkload(seed: UInt64(seed) + 200, steps: 900)
            let range = try Self.write(workload, to: directory.path)
            let files = try FileManager.default.contentsOfDirectory(atPath: directory.path).sorted()
            for _ in 0..<4 {
                let path = "\(directory.path)/\(files[Int.random(in: 0..<files.count, using: &random)])"
                let intact = try Data(contentsOf: URL(fileURLWithPath: path))
                var bytes = Array(intact)
                damage(&bytes, &random)
                try Data(bytes).write(to: URL(fileURLWithPath: path))
                defer { try? intact.write(to: URL(fileURLWithPath: path)) }
                let whole = try Self.survey(directory.path, range)
                for (threads, pieceBytes) in [(2, 1 << 20), (3, 8192), (2, 131_072)] as [(Int, UInt64)] {
                    let other = try Self.survey(directory.path, range, threads: threads, pieceBytes: pieceBytes)
                    let what = "\(threads) threads, pieces of \(pieceBytes)"
                    #expect(other.said.count == whole.said.count)
                    for (one, two) in zip(other.said, whole.said) {
                        #expect(one == two, "\(what): \(one.brief) is not \(two.brief)")
                    }
                    #expect(other.state == whole.state, "\(what)")
                }
                try agreesWithTheWalk(directory.path, whole.said, workload)
            }
        }
    }

    /// The first fault, and the records before it, are those of `WALWalk`.
    private func agreesWithTheWalk(_ path: String, _ said: [Said], _ workload: SurveyWorkload) throws {
        var records: UInt64 = 0
        let end = try WALWalk(WALDirectory(path, segmentSize: SurveyWorkload.size))
            .records(from: workload.craft.start, along: TimelinePath(TimelineID(1))) { _, _, _, _ in
                records += 1
                return .proceed
            }
        let broken = said.firstIndex { $0.outcome != "valid" && !$0.outcome.hasPrefix("partial") }
        let sound = broken.map { said[...$0] } ?? said[...]
        #expect(sound.reduce(0) { $0 + $1.statistics.total.records } == records, "\(end)")
        if case .corrupt(let fault, let name) = end, fault.position >= workload.craft.start {
            #expect(broken != nil, "\(fault) of \(name)")
        }
    }

    private func damage(_ bytes: inout [UInt8], _ random: inout SeededGenerator) {
        guard !bytes.isEmpty else { return }
        let place = Int.random(in: 0..<bytes.count, using: &random)
        switch Int.random(in: 0..<6, using: &random) {
        case 0: bytes[place] ^= 1 << UInt8.random(in: 0...7, using: &random)
        case 1: bytes.replaceSubrange(place..<min(bytes.count, place + 9000), with: [])
        case 2: bytes.removeSubrange(place...)
        case 3: for offset in place..<min(bytes.count, place + 20_000) { bytes[offset] = 0 }
        case 4:
            let page = place / 8192 * 8192
            bytes[min(bytes.count - 1, page + Int.random(in: 0..<40, using: &random))] ^= 0x11
        default: for offset in place..<min(bytes.count, place + 64) { bytes[offset] = 0xEE }
        }
    }

    /// Segments that are not there, too short, or come and go are results.
    @Test func missingAndShortSegments() throws {
        try TestDirectory.with { directory in
            let workload = SurveyWorkload(seed: 1, steps: 6000)
            let range = try Self.write(workload, to: directory.path)
            #expect(range.count > 6)
            let names = workload.segments.map(\.name)
            try FileManager.default.removeItem(atPath: "\(directory.path)/\(names[2])")
            truncate("\(directory.path)/\(names[4])", 1 << 19)
            let (said, _) = try Self.survey(directory.path, range, threads: 2)
            #expect(said.count == range.count)
            #expect(said[2].outcome == "missing")
            #expect(!said[3].isJoined)
            #expect(said[4].outcome == "wrongSize(524288)")
            #expect(!said[5].isJoined)
            #expect(said[6].isJoined || range.count == 7)
            #expect(said[0].outcome == "valid")
        }
    }

    @Test func filesThatVanishMeanwhile() throws {
        try TestDirectory.with { directory in
            let workload = SurveyWorkload(seed: 2, steps: 6000)
            let range = try Self.write(workload, to: directory.path)
            let names = workload.segments.map(\.name)
            var seen = 0
            let (said, _) = try Self.survey(directory.path, range, threads: 2, pieceBytes: 65_536) { _ in
                seen += 1
                if seen == 1 {
                    for name in names[2...] { unlink("\(directory.path)/\(name)") }
                }
            }
            #expect(said.count == range.count)
            #expect(said[range.count - 2].outcome == "missing")
        }
    }

    /// Another cluster's segment, whole and in its place.
    @Test func anotherClustersSegment() throws {
        try TestDirectory.with { directory in
            let range = try Self.write(SurveyWorkload(seed: 3), to: directory.path)
            var other = WALCraft(start: LSN(0x300_0000), segmentSize: SurveyWorkload.size, systemIdentifier: 77)
            while other.bytes.count < 3 << 20 { other.filler(byteCount: 5000) }
            let name = SegmentName(timeline: TimelineID(1), number: range.lowerBound + 1, size: SurveyWorkload.size)
            try Data(other.bytes[(1 << 20)..<(2 << 20)]).write(to: URL(fileURLWithPath: "\(directory.path)/\(name)"))
            let (said, _) = try Self.survey(directory.path, range, threads: 2)
            #expect(said[1].outcome.hasPrefix("damaged"))
            #expect(said[1].outcome.contains("badSystemIdentifier(77)") || said[1].outcome.contains("77"))
        }
    }

    /// Compressed segments, large and small pieces: the same as plain.
    @Test func compressedSegments() throws {
        try TestDirectory.with { directory in
            let workload = SurveyWorkload(seed: 4)
            let range = try Self.write(workload, to: directory.path)
            let plain = try Self.survey(directory.path, range)
            let archive = WALDirectory(directory.path, segmentSize: SurveyWorkload.size)
            for (index, name) in workload.segments.dropLast().map(\.name).enumerated() where index % 3 != 2 {
                try archive.compress(name)
            }
            for (threads, pieceBytes) in [(1, 1 << 20), (2, 1 << 20), (2, 131_072)] as [(Int, UInt64)] {
                let other = try Self.survey(directory.path, range, threads: threads, pieceBytes: pieceBytes)
                #expect(other.said == plain.said)
            }
        }
    }
}
