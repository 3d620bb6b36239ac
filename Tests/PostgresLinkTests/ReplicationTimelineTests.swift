import PostgresLink
import Testing
import WALFormat

/// Switches from one timeline to another, in a stream and before one.
struct ReplicationTimelineTests {
    private let history = "1\t0/5012100\tno recovery target specified\n"

    @Test func aPlannedSwitchIsFollowedAtTheForksSegment() throws {
        var trace = try Trace()
        trace.settings.slot = SlotName("arc")
        trace.streaming(from: 0x501_2000, recordEnd: 0x501_2000)
        trace.data(0x501_2000, 0x100)
        trace.on(.stored(written: LSN(0x501_2100), recordEnd: LSN(0x501_2100)))
        trace.on(.durable(LSN(0x501_2100)))
        #expect(trace.on(.copyEnded) == [])
        #expect(
            trace.on(.row(["3", "0/5012100"])) == [
                .note(.timelineEnded(TimelineID(1), at: LSN(0x501_2100), next: TimelineID(3))), .closeStream,
            ]
        )
        #expect(trace.on(.commandComplete) == [.send(.timelineHistory(TimelineID(3)))])
        #expect(
            trace.on(.row(["00000003.history", history])) == [.storeHistory(TimelineID(3), text: history)]
        )
        let fork = StreamStart(
            kind: .fork(end: LSN(0x501_2100)),
            timeline: TimelineID(3),
            position: LSN(0x500_0000),
            durable: LSN(0x501_2100)
        )
        #expect(
            trace.on(.historyStored(TimelineID(3))) == [
                .openStream(fork),
                .send(.startReplication(slot: trace.slot, position: LSN(0x500_0000), timeline: TimelineID(3))),
            ]
        )
        // What was acknowledged stays so: all of it is on the new timeline's path.
        #expect(trace.on(.copyStarted).last == trace.reply(written: 0x501_2100, flushed: 0x501_2100))
    }

    @Test func aHistoricTimelineMaySkipTheCopy() throws {
        var trace = try Trace()
        trace.begin(position: trace.position(0x501_2100))
        trace.identify(timeline: 2)
        trace.on(.row(["00000002.history", history]))
        #expect(
            trace.on(.historyStored(TimelineID(2))).last
                == .send(.startReplication(slot: nil, position: LSN(0x501_2100), timeline: TimelineID(1)))
        )
        #expect(trace.on(.row(["2", "0/5012100"])).last == .closeStream)
        // Its history is here already.
        #expect(
            trace.on(.commandComplete).last
                == .send(.startReplication(slot: nil, position: LSN(0x500_0000), timeline: TimelineID(2)))
        )
    }

    @Test func whatWeHaveBeyondAForkIsLeftBehind() throws {
        var trace = try Trace()
        trace.begin(position: trace.position(0x501_9000))
        trace.identify(timeline: 2)
        trace.on(.row(["00000002.history", history]))
        let actions = trace.on(.historyStored(TimelineID(2)))
        #expect(
            actions.last == .send(.startReplication(slot: nil, position: LSN(0x500_0000), timeline: TimelineID(2)))
        )
        guard case .note(.forked(let start, let ours)) = actions.first else { return #expect(Bool(false)) }
        #expect(ours == LSN(0x501_9000))
        // Never more than the fork is acknowledged on the new timeline.
        #expect(start.durable == LSN(0x501_2100))
    }

    @Test func ancestorsThatAreMissingHereAreFetched() throws {
        var trace = try Trace()
        trace.begin(position: nil)
        let text = "1\t0/3000000\tx\n2\t0/4000000\tx\n3\t0/5000000\tx\n"
        #expect(trace.identify(timeline: 5).last == .send(.timelineHistory(TimelineID(5))))
        trace.on(.row(["00000005.history", text]))
        #expect(trace.on(.historyStored(TimelineID(5))) == [.send(.timelineHistory(TimelineID(3)))])
        trace.on(.row(["00000003.history", "1\t0/3000000\tx\n2\t0/4000000\tx\n"]))
        #expect(trace.on(.historyStored(TimelineID(3))) == [.send(.timelineHistory(TimelineID(2)))])
        // An old one that is gone upstream is said and done without.
        let missing = trace.on(.serverError(sqlState: "58P01", message: "gone"))
        #expect(missing.first == .note(.historyMissing(TimelineID(2), message: "gone")))
        guard case .send(.startReplication) = missing.last else { return #expect(Bool(false)) }
    }

    @Test func anotherHistoryOfTheSameTimelineIsDivergence() throws {
        var trace = try Trace()
        trace.begin(position: trace.position(0x501_2000, timeline: 2))
        trace.identify(timeline: 2)
        trace.on(.row(["00000002.history", history]))
        let outcome = trace.outcome(trace.on(.historyRefused(TimelineID(2))))
        #expect(outcome == .diverged(.otherHistory(TimelineID(2))))
    }

    @Test func divergences() throws {
        let cases: [(at: UInt64, on: UInt32, server: Int, end: String, expected: Divergence)] = [
            (0x501_2000, 1, 1, "0/5000000", .aheadOfServer(server: LSN(0x500_0000), ours: LSN(0x501_2000))),
            (0x501_2000, 3, 1, "0/5600000", .serverOnOlderTimeline(server: TimelineID(1), ours: TimelineID(3))),
        ]
        for entry in cases {
            var trace = try Trace()
            trace.begin(position: trace.position(entry.at, timeline: entry.on))
            let actions = trace.identify(timeline: entry.server, flushed: entry.end)
            #expect(trace.outcome(actions) == .diverged(entry.expected))
        }
        // A timeline that ours is no ancestor of.
        var trace = try Trace()
        trace.begin(position: trace.position(0x501_2000, timeline: 2))
        trace.identify(timeline: 3)
        trace.on(.row(["00000003.history", history]))
        let outcome = trace.outcome(trace.on(.historyStored(TimelineID(3))))
        #expect(outcome == .diverged(.unrelatedTimeline(server: TimelineID(3), ours: TimelineID(2))))
    }

    @Test func aStandbyThatIsBehindIsWaitedFor() throws {
        var trace = try Trace()
        trace.begin(position: trace.position(0x501_2000))
        trace.on(.connected(serverVersion: 150_018, isStandby: true))
        trace.on(.row(["42", "1", "0/5000000", nil]))
        guard case .lost = trace.outcome(trace.on(.row(["16MB"]))) else { return #expect(Bool(false)) }
    }

    @Test(arguments: [["1", "0/5012000"], ["2", "0/5012100"], ["x", "0/5012000"], ["2"], ["2", "5012000"]])
    func impossibleNextTimelines(row: [String]) throws {
        var trace = try Trace()
        trace.streaming(from: 0x501_2000, recordEnd: 0x501_2000)
        trace.on(.copyEnded)
        guard case .lost = trace.outcome(trace.on(.row(row))) else { return #expect(Bool(false)) }
    }

    @Test(arguments: ["2\tnonsense\n", "9\t0/5012100\tx\n"])
    func badHistoriesAreNotFollowed(text: String) throws {
        var trace = try Trace()
        trace.begin(position: trace.position(0x501_2000))
        trace.identify(timeline: 2)
        let outcome = trace.outcome(trace.on(.row(["00000002.history", text])))
        #expect(outcome != nil && outcome != .stopped)
    }
}
