import PostgresLink
import Testing
import WALFormat

/// Traces of the protocol: events in, actions out.
struct ReplicationMachineTests {
    // MARK: Login to stream

    @Test func anEmptyArchiveStartsAtTheSlot() throws {
        var trace = try Trace()
        trace.settings.slot = SlotName("arc")
        trace.begin(position: nil)
        #expect(trace.on(.connected(serverVersion: 150_018, isStandby: false)) == [.send(.identifySystem)])
        #expect(trace.on(.row(["42", "1", "0/5600000", nil])).last == .send(.showSegmentSize))
        #expect(trace.on(.row(["16MB"])) == [.send(.readSlot(trace.slot))])
        let start = StreamStart(kind: .first, timeline: TimelineID(1), position: LSN(0x500_0000), durable: nil)
        #expect(
            trace.on(.row(["physical", "0/5123456", "1"])) == [
                .openStream(start),
                .send(.startReplication(slot: trace.slot, position: LSN(0x500_0000), timeline: TimelineID(1))),
            ]
        )
        // Nothing is known to be durable, so nothing is reported.
        #expect(trace.on(.copyStarted) == [.note(.streaming(start)), trace.reply(written: 0, flushed: 0)])
    }

    @Test func withoutASlotTheStartIsTheServersEnd() throws {
        var trace = try Trace()
        trace.begin(position: nil)
        trace.on(.connected(serverVersion: 160_004, isStandby: nil))
        trace.on(.row(["42", "1", "0/5600000", nil]))
        #expect(
            trace.on(.row(["1MB"])).last
                == .send(.startReplication(slot: nil, position: LSN(0x560_0000), timeline: TimelineID(1)))
        )
    }

    @Test func anArchiveGoesOnAtItsEnd() throws {
        var trace = try Trace()
        trace.settings.slot = SlotName("arc")
        let start = trace.streaming(from: 0x501_2000, recordEnd: 0x501_2345)
        #expect(start == [.note(.streaming(trace.start)), trace.reply(written: 0x501_2345, flushed: 0x501_2345)])
    }

    @Test(arguments: [
        (["43", "1", "0/5600000"], "another cluster"), (["42", "x", "0/1"], "IDENTIFY_SYSTEM"),
    ])
    func identitiesThatEndIt(row: [String], reason: String) throws {
        var trace = try Trace()
        trace.settings.systemIdentifier = 42
        trace.begin(position: nil)
        trace.on(.connected(serverVersion: 150_018, isStandby: false))
        let actions = trace.on(.row(row))
        #expect(trace.outcome(actions)?.reason?.contains(reason) == true)
    }

    @Test func anotherSegmentSizeIsPermanent() throws {
        var trace = try Trace()
        trace.settings.segmentSize = .standard
        trace.begin(position: nil)
        trace.on(.connected(serverVersion: 150_018, isStandby: false))
        trace.on(.row(["42", "1", "0/5600000"]))
        guard case .permanent = trace.outcome(trace.on(.row(["1MB"]))) else { return #expect(Bool(false)) }
    }

    @Test(arguments: [140_000, 190_000, 0])
    func unsupportedMajorsArePermanent(version: Int) throws {
        var trace = try Trace()
        trace.begin(position: nil)
        guard case .permanent = trace.outcome(trace.on(.connected(serverVersion: version, isStandby: nil))) else {
            return #expect(Bool(false))
        }
    }

    @Test func aMissingSlotIsMadeAnewOnlyWhenAllowed() throws {
        var trace = try Trace()
        trace.settings.slot = SlotName("arc")
        trace.begin(position: nil)
        trace.identify()
        guard case .lost = trace.outcome(trace.on(.row([nil, nil, nil]))) else { return #expect(Bool(false)) }

        trace.settings.recreatesSlot = true
        trace.begin(position: trace.position(0x501_2000))
        trace.identify()
        #expect(trace.on(.row([nil, nil, nil])) == [.send(.createSlot(trace.slot))])
        #expect(
            trace.on(.row(["arc", "0/0", nil, nil])) == [
                .note(.slotCreated(trace.slot)), .send(.readSlot(trace.slot)),
            ]
        )
        // From our own end, even where the new slot keeps only what is later.
        #expect(
            trace.on(.row(["physical", "0/5300000", "1"])).last
                == .send(.startReplication(slot: trace.slot, position: LSN(0x501_2000), timeline: TimelineID(1)))
        )
    }

    @Test func anInvalidatedSlotIsMadeAnew() throws {
        var trace = try Trace()
        trace.settings.slot = SlotName("arc")
        trace.settings.recreatesSlot = true
        trace.begin(position: trace.position(0x501_2000))
        trace.identify()
        trace.on(.row(["physical", nil, nil]))
        let actions = trace.on(.serverError(sqlState: "55000", message: "can no longer access"))
        #expect(actions.last == .send(.dropSlot(trace.slot)))
        #expect(trace.on(.commandComplete) == [.send(.createSlot(trace.slot))])
        trace.on(.row(["arc", "0/0", nil, nil]))
        let again = trace.on(.row(["physical", "0/5300000", "1"]))
        #expect(
            again.last == .send(.startReplication(slot: trace.slot, position: LSN(0x501_2000), timeline: TimelineID(1)))
        )
        // Not a second time.
        guard case .lost = trace.outcome(trace.on(.serverError(sqlState: "55000", message: "again"))) else {
            return #expect(Bool(false))
        }
    }

    // MARK: Server errors

    @Test func errorsByTheirState() throws {
        let cases: [(String?, ReplicationOutcome)] = [
            ("58P01", .gap("m")), ("55006", .slotInUse("m")), ("28000", .authentication("m")),
            ("57P01", .lost("m")), ("57P03", .lost("m")), ("53300", .lost("m")), ("XX000", .lost("m")),
            (nil, .lost("m")),
        ]
        for (state, outcome) in cases {
            var trace = try Trace()
            trace.settings.slot = SlotName("arc")
            trace.streaming(from: 0x501_2000, recordEnd: 0x501_2000)
            trace.on(.copyEnded)
            #expect(trace.outcome(trace.on(.serverError(sqlState: state, message: "m"))) == outcome)
        }
    }

    @Test func aLogicalSlotIsPermanent() throws {
        for state in ["22023", "55000", "0A000"] {
            var trace = try Trace()
            trace.settings.slot = SlotName("arc")
            trace.begin(position: nil)
            trace.identify()
            let outcome = trace.outcome(trace.on(.serverError(sqlState: state, message: "m")))
            #expect(outcome == .permanent("m"), "\(state)")
        }
    }

    // MARK: Streaming

    @Test func dataMustGoOnWhereItEnded() throws {
        var trace = try Trace()
        trace.streaming(from: 0x501_2000, recordEnd: 0x501_2000)
        #expect(trace.data(0x501_2000, 100) == [.store])
        #expect(trace.data(0x501_2064, 100) == [.store])
        guard case .lost = trace.outcome(trace.data(0x501_2064, 100)) else { return #expect(Bool(false)) }
        // Nothing more after the end.
        #expect(trace.on(.tick) == [])
    }

    @Test func synchronousModeSyncsAndReplies() throws {
        var trace = try Trace()
        trace.settings.isSynchronous = true
        trace.streaming(from: 0x501_2000, recordEnd: 0x501_2000)
        trace.data(0x501_2000, 0x100)
        #expect(trace.on(.stored(written: LSN(0x501_2100), recordEnd: LSN(0x501_20F8))) == [.sync])
        // What only the page cache has is not called written: remote_write waits for that.
        #expect(trace.on(.durable(LSN(0x501_20F8))) == [trace.reply(written: 0x501_20F8, flushed: 0x501_20F8)])
        // An incomplete record alone is nothing to sync.
        trace.data(0x501_2100, 8)
        #expect(trace.on(.stored(written: LSN(0x501_2108), recordEnd: LSN(0x501_20F8))) == [])
    }

    @Test func flushIsReportedOnlyToThoseWhoNeedIt() throws {
        var trace = try Trace()
        let actions = trace.streaming(from: 0x501_2000, recordEnd: 0x501_2000)
        #expect(actions.last == trace.reply(written: 0, flushed: 0))
    }

    @Test func aServerThatAsksGetsAReplyAtOnceAndASync() throws {
        var trace = try Trace()
        trace.settings.slot = SlotName("arc")
        trace.streaming(from: 0x501_2000, recordEnd: 0x501_2000)
        #expect(trace.keepalive(requested: true) == [trace.reply(written: 0x501_2000, flushed: 0x501_2000)])
        trace.data(0x501_2000, 0x100)
        #expect(trace.on(.stored(written: LSN(0x501_2100), recordEnd: LSN(0x501_2100))) == [])
        #expect(
            trace.keepalive(requested: true) == [trace.reply(written: 0x501_2100, flushed: 0x501_2000), .sync]
        )
        #expect(trace.on(.durable(LSN(0x501_2100))) == [trace.reply(written: 0x501_2100, flushed: 0x501_2100)])
        #expect(trace.keepalive(requested: false) == [])
    }

    @Test func whatIsWrittenIsSyncedAfterAWhile() throws {
        var trace = try Trace()
        trace.settings.syncAfterSeconds = 0.5
        trace.streaming(from: 0x501_2000, recordEnd: 0x501_2000)
        trace.data(0x501_2000, 0x100)
        trace.on(.stored(written: LSN(0x501_2100), recordEnd: LSN(0x501_2100)))
        trace.seconds += 0.4
        #expect(trace.on(.tick) == [])
        trace.seconds += 0.2
        #expect(trace.on(.tick) == [.sync])
    }

    @Test func heartbeatsAskForTheClock() throws {
        var trace = try Trace()
        trace.settings.heartbeatIntervalSeconds = 2
        trace.streaming(from: 0x501_2000, recordEnd: 0x501_2000)
        trace.seconds += 1
        #expect(trace.on(.tick) == [])
        trace.seconds += 1
        // The first was asked for with the start, and is not answered yet.
        #expect(trace.on(.tick) == [trace.reply(written: 0, flushed: 0)])
        #expect(trace.machine.nextTickSeconds <= trace.seconds + 2)
        trace.seconds += 1
        trace.beat(end: 0x560_0000, clock: 10)
        trace.seconds += 1
        #expect(trace.on(.tick) == [])
        trace.seconds += 1
        #expect(trace.on(.tick) == [trace.reply(written: 0, flushed: 0, requested: true)])
    }

    /// A keepalive says up to where WAL was sent: while that is behind, it is no sign of the server's end.
    @Test func aKeepaliveOfAServerThatIsBehindIsNotItsEnd() throws {
        var trace = try Trace()
        trace.settings.heartbeatIntervalSeconds = 2
        trace.streaming(from: 0x501_2000, recordEnd: 0x501_2000)
        // Known from IDENTIFY_SYSTEM.
        trace.heartbeat(end: 0x501_2000, clock: 10)
        #expect(trace.machine.heartbeat == nil)
        #expect(trace.machine.serverEnd == LSN(0x560_0000))
        trace.heartbeat(end: 0x501_2000, clock: 20)
        #expect(trace.machine.heartbeat?.clock == PostgresTime(rawValue: 10))
        #expect(trace.machine.heartbeat?.end == LSN(0x560_0000))
        // Known from a data message, which was sent when the server's end was looked at.
        trace.data(0x501_2000, 0x100)
        trace.heartbeat(end: 0x501_2100, clock: 30)
        #expect(trace.machine.heartbeat?.clock == PostgresTime(rawValue: 20))
        #expect(trace.machine.heartbeat?.end == LSN(0x600_0000))
        #expect(trace.machine.serverEnd == LSN(0x600_0000))
        // What was committed between two answers has come before the second one.
        trace.heartbeat(end: 0x600_0000, clock: 40)
        trace.heartbeat(end: 0x600_1000, clock: 50)
        #expect(trace.machine.heartbeat?.clock == PostgresTime(rawValue: 40))
        #expect(trace.machine.heartbeat?.end == LSN(0x600_1000))
    }

    /// Only what answers is taken: other keepalives may have been sent before WAL was looked at.
    @Test func keepalivesThatAnswerNothingAreNoEvidence() throws {
        var trace = try Trace()
        trace.settings.heartbeatIntervalSeconds = 2
        trace.streaming(from: 0x560_0000, recordEnd: 0x560_0000)
        trace.beat(end: 0x560_0000, clock: 10)
        trace.beat(end: 0x560_0000, clock: 20)
        trace.beat(end: 0x560_0000, clock: 30, requested: true)
        #expect(trace.machine.heartbeat == nil)
        trace.heartbeat(end: 0x560_0000, clock: 40)
        #expect(trace.machine.heartbeat?.clock == PostgresTime(rawValue: 10))
    }

    @Test func aStandbysClockIsNoEvidence() throws {
        var trace = try Trace()
        trace.settings.heartbeatIntervalSeconds = 2
        trace.begin(position: trace.position(0x501_2000))
        trace.on(.connected(serverVersion: 150_018, isStandby: true))
        trace.on(.row(["42", "1", "0/5600000", nil]))
        trace.on(.row(["16MB"]))
        trace.on(.copyStarted)
        trace.heartbeat(end: 0x560_0000, clock: 10)
        trace.heartbeat(end: 0x560_0000, clock: 20)
        trace.heartbeat(end: 0x560_0000, clock: 30)
        #expect(trace.machine.isStreaming)
        #expect(trace.machine.heartbeat == nil)
    }

    @Test func silenceIsPingedAndThenLeft() throws {
        var trace = try Trace()
        trace.settings.statusIntervalSeconds = 0
        trace.streaming(from: 0x501_2000, recordEnd: 0x501_2000)
        trace.seconds += 29
        #expect(trace.on(.tick) == [])
        trace.seconds += 1
        #expect(trace.on(.tick) == [trace.reply(written: 0, flushed: 0, requested: true)])
        trace.seconds += 29
        #expect(trace.on(.tick) == [])
        trace.seconds += 1
        guard case .lost = trace.outcome(trace.on(.tick)) else { return #expect(Bool(false)) }
    }

    @Test(arguments: [10.0, 0, 60])
    func silenceMeansNothingWhileReadingIsPaused(interval: Double) throws {
        var trace = try Trace()
        trace.settings.statusIntervalSeconds = interval
        trace.settings.slot = SlotName("arc")
        trace.streaming(from: 0x501_2000, recordEnd: 0x501_2000)
        trace.on(.paused(true))
        for _ in 0..<30 {
            trace.seconds += 10
            #expect(trace.machine.nextTickSeconds <= trace.seconds)
            // The walsender must not time out while the disk is full.
            #expect(trace.on(.tick) == [trace.reply(written: 0x501_2000, flushed: 0x501_2000)])
        }
        trace.on(.paused(false))
        trace.seconds += 10
        #expect(trace.outcome(trace.on(.tick)) == nil)
    }

    @Test func stoppingWaitsForTheLastSync() throws {
        var trace = try Trace()
        trace.settings.slot = SlotName("arc")
        trace.streaming(from: 0x501_2000, recordEnd: 0x501_2000)
        trace.data(0x501_2000, 0x100)
        trace.on(.stored(written: LSN(0x501_2100), recordEnd: LSN(0x501_20F0)))
        #expect(trace.on(.stop) == [.sync])
        #expect(
            trace.on(.durable(LSN(0x501_20F0))) == [
                trace.reply(written: 0x501_2100, flushed: 0x501_20F0), .endCopy, .finish(.stopped),
            ]
        )
    }

    /// What still comes after the stop does not put the end off.
    @Test func aStopEndsWhereItWasAskedFor() throws {
        var trace = try Trace()
        trace.settings.slot = SlotName("arc")
        trace.streaming(from: 0x501_2000, recordEnd: 0x501_2000)
        trace.data(0x501_2000, 0x100)
        trace.on(.stored(written: LSN(0x501_2100), recordEnd: LSN(0x501_20F0)))
        #expect(trace.on(.stop) == [.sync])
        #expect(trace.machine.isStopping)
        trace.data(0x501_2100, 0x100)
        trace.on(.stored(written: LSN(0x501_2200), recordEnd: LSN(0x501_21F0)))
        #expect(trace.on(.durable(LSN(0x501_20F0))).last == .finish(.stopped))
    }

    @Test func theEndPositionMustBePassed() throws {
        var trace = try Trace()
        trace.settings.endPosition = LSN(0x501_2100)
        trace.streaming(from: 0x501_2000, recordEnd: 0x501_2000)
        trace.data(0x501_2000, 0x100)
        #expect(trace.on(.stored(written: LSN(0x501_2100), recordEnd: LSN(0x501_2100))) == [])
        trace.data(0x501_2100, 0x100)
        #expect(trace.on(.stored(written: LSN(0x501_2200), recordEnd: LSN(0x501_2180))) == [.sync])
        #expect(trace.on(.durable(LSN(0x501_2180))).last == .finish(.stopped))
    }

    @Test func anOrderlyShutdownIsNoError() throws {
        var trace = try Trace()
        trace.streaming(from: 0x501_2000, recordEnd: 0x501_2000)
        #expect(trace.on(.copyEnded) == [])
        #expect(trace.on(.commandComplete) == [.finish(.serverShutDown)])
    }

    @Test func answersOutOfPlaceEndIt() throws {
        let strays: [ReplicationEvent] = [
            .copyStarted, .copyEnded, .commandComplete, .row([]), .row(["1", "2"]),
            .message(.keepalive(serverEnd: LSN(1), serverClock: PostgresTime(rawValue: 0), replyRequested: true)),
        ]
        for stray in strays {
            var trace = try Trace()
            trace.begin(position: nil)
            guard case .lost = trace.outcome(trace.on(stray)) else { return #expect(Bool(false), "\(stray)") }
        }
    }

    @Test func anEndThatIsHereAlreadyIsNotWaitedFor() throws {
        for (end, isOver) in [(0x501_1000, true), (0x501_2000, false)] as [(UInt64, Bool)] {
            var trace = try Trace()
            trace.settings.endPosition = LSN(end)
            let actions = trace.streaming(from: 0x501_2000, recordEnd: 0x501_2000)
            #expect(trace.outcome(actions) == (isOver ? .stopped : nil))
        }
    }
}
