import PostgresLink
import Testing
import WALFormat

/// Segments that the slot keeps and that are missing here: received before anything behind them is acknowledged.
struct RetainedSegmentsTests {
    /// An archive that ends at 0/9000000, with whole segments.
    private func position(firstHole: UInt64? = nil) -> ArchivePosition {
        ArchivePosition(
            timeline: TimelineID(1),
            request: LSN(0x900_0000),
            recordEnd: LSN(0x8FF_FF00),
            completeEnd: LSN(0x900_0000),
            firstHole: firstHole.map { LSN($0) }
        )
    }

    private func looked(_ actions: [ReplicationAction]) -> [UInt64]? {
        guard case .lookForHole(let segments) = actions.last else { return nil }
        return [segments.start.rawValue, segments.end.rawValue]
    }

    private func started(_ actions: [ReplicationAction]) -> UInt64? {
        guard case .send(.startReplication(_, let position, _)) = actions.last else { return nil }
        return position.rawValue
    }

    private func trace(
        slot: [String?]?,
        firstHole: UInt64? = nil,
        lost: UInt64 = 0
    ) throws -> (Trace, [ReplicationAction]) {
        var trace = try Trace()
        if slot != nil { trace.settings.slot = trace.slot }
        trace.settings.recreatesSlot = true
        trace.machine = ReplicationMachine(
            settings: trace.settings,
            position: position(firstHole: firstHole),
            lost: LSN(lost)
        )
        var actions = trace.identify(flushed: "0/A000000")
        if let slot { actions = trace.on(.row(slot)) }
        return (trace, actions)
    }

    @Test func allFromTheSlotsPositionOnIsLookedFor() throws {
        var (trace, actions) = try trace(slot: ["physical", "0/5012345", "1"])
        #expect(looked(actions) == [0x500_0000, 0x900_0000])
        // Nothing is missing.
        actions = trace.on(.holeLookedFor(nil))
        #expect(started(actions) == 0x900_0000)
        #expect(trace.on(.copyStarted).last == trace.reply(written: 0x8FF_FF00, flushed: 0x8FF_FF00))
    }

    @Test(arguments: [("0/9000000", 0), ("0/9012345", 0), ("0/5012345", 0x900_0000)] as [(String, UInt64)])
    func nothingIsLookedForBehindTheArchive(restart: String, lost: UInt64) throws {
        let (_, actions) = try trace(slot: ["physical", restart, "1"], firstHole: 0x300_0000, lost: lost)
        #expect(started(actions) == 0x900_0000)
    }

    /// An old hole that no slot speaks of: perhaps the server has it still.
    @Test func withoutASlotsPositionTheFirstHoleCounts() throws {
        for slot: [String?]? in [nil, ["physical", nil, nil]] {
            try #expect(looked(trace(slot: slot, firstHole: 0x600_0000).1) == [0x600_0000, 0x900_0000])
            try #expect(started(trace(slot: slot).1) == 0x900_0000)
            try #expect(looked(trace(slot: slot, firstHole: 0x600_0000, lost: 0x700_0000).1)?.first == 0x700_0000)
        }
        // The position of a slot that was made a moment ago says nothing of what was acknowledged.
        var (trace, actions) = try trace(slot: [nil, nil, nil], firstHole: 0x600_0000)
        #expect(actions.last == .send(.createSlot(trace.slot)))
        trace.on(.row(["arc", "0/0", nil, nil]))
        actions = trace.on(.row(["physical", "0/A000000", "1"]))
        #expect(looked(actions) == [0x600_0000, 0x900_0000])
    }

    @Test func theStreamBeginsAtTheHole() throws {
        var (trace, _) = try trace(slot: ["physical", "0/5012345", "1"])
        let before = ArchivePosition(timeline: TimelineID(1), request: LSN(0x6FE_E000), recordEnd: LSN(0x6FF_0000))
        let actions = trace.on(.holeLookedFor(before))
        #expect(started(actions) == 0x6FE_E000)
        #expect(trace.on(.copyStarted).last == trace.reply(written: 0x6FF_0000, flushed: 0x6FF_0000))
        // The server has removed it: what is behind it can still be had.
        let outcome = trace.outcome(trace.on(.serverError(sqlState: "58P01", message: "removed")))
        let name = SegmentName(timeline: TimelineID(1), number: 6, size: .standard)
        #expect(outcome == .holeLost(name, end: LSN(0x700_0000), "removed"))
    }

    @Test func behindTheOldEndAGapIsAGap() throws {
        var (trace, _) = try trace(slot: ["physical", "0/5012345", "1"])
        trace.on(.holeLookedFor(nil))
        trace.on(.copyStarted)
        #expect(trace.outcome(trace.on(.serverError(sqlState: "58P01", message: "removed"))) == .gap("removed"))
    }

    /// Less than the slot has is not reported: the slot would go back to what may be gone.
    @Test func theSlotIsNotMovedBack() throws {
        var (trace, _) = try trace(slot: ["physical", "0/5012345", "1"])
        let before = ArchivePosition(timeline: TimelineID(1), request: LSN(0x4FE_E000), recordEnd: LSN(0x4FF_0000))
        trace.on(.holeLookedFor(before))
        #expect(trace.on(.copyStarted).last == trace.reply(written: 0, flushed: 0))
    }

    // MARK: - Which one is missing

    /// Segments 3 to 9; timeline 2 begins in segment 6, timeline 3 in segment 7, timeline 4 with segment 8.
    private let retained = RetainedSegments(
        history: TimelineHistory(
            timeline: TimelineID(4),
            ancestors: [
                .init(timeline: TimelineID(1), end: LSN(0x608_0000), reason: ""),
                .init(timeline: TimelineID(2), end: LSN(0x708_0000), reason: ""),
                .init(timeline: TimelineID(3), end: LSN(0x800_0000), reason: ""),
            ]
        ),
        segmentSize: .standard,
        start: LSN(0x300_0000),
        end: LSN(0xA00_0000)
    )

    private let whole = ["1.3", "1.4", "1.5", "2.6", "3.7", "4.8", "4.9"]

    private func missing(_ here: [String]) -> String? {
        let found = retained.firstMissing { name in
            here.contains("\(name.timeline).\(name.segmentInLog)")
        }
        return found.map { "\($0.timeline).\($0.segmentInLog)" }
    }

    @Test func eachSegmentIsThatOfItsNewestTimeline() {
        #expect(missing(whole) == nil)
        for name in whole {
            // Of a segment with a fork first what the old timeline has of it.
            let expected = ["2.6": "1.6", "3.7": "2.7"][name] ?? name
            #expect(missing(whole.filter { $0 != name }) == expected)
        }
        #expect(missing(whole.filter { $0 != "2.6" } + ["1.6"]) == "2.6")
        #expect(missing([]) == "1.3")
    }

    @Test func allThatAreMissingAreNamed() {
        func missing(limit: Int) -> [String] {
            retained.allMissing(limit: limit) { ["1.3", "1.4", "4.9"].contains("\($0.timeline).\($0.segmentInLog)") }
                .map { "\($0.timeline).\($0.segmentInLog)" }
        }
        #expect(missing(limit: 9) == ["1.5", "1.6", "2.7", "4.8"])
        #expect(missing(limit: 2) == ["1.5", "1.6"])
    }
}
