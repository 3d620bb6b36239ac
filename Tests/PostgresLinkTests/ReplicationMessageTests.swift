import PostgresLink
import Testing
import WALFormat

struct ReplicationMessageTests {
    private func decode(_ bytes: [UInt8]) throws(MalformedMessage) -> ReplicationMessage {
        let copy = bytes
        let result: Result<ReplicationMessage, MalformedMessage> = copy.withUnsafeBytes { raw in
            do throws(MalformedMessage) { return .success(try ReplicationMessage(raw)) } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }

    private let clock = PostgresTime(rawValue: 812_345_678_901_234)

    @Test func dataRoundTrip() throws {
        let message = ReplicationMessage.data(
            start: LSN(0x1_0203_0405),
            payloadBytes: 3,
            serverEnd: LSN(0x1_0203_0999),
            serverClock: clock
        )
        let bytes = message.encoded(payload: [7, 8, 9])
        #expect(bytes.count == ReplicationMessage.payloadOffset + 3)
        #expect(try decode(bytes) == message)
        #expect(Array(bytes.suffix(3)) == [7, 8, 9])
    }

    @Test func keepaliveRoundTrip() throws {
        for requested in [true, false] {
            let message = ReplicationMessage.keepalive(
                serverEnd: LSN(0x16_B374_D848),
                serverClock: clock,
                replyRequested: requested
            )
            #expect(try decode(message.encoded()) == message)
        }
    }

    @Test func statusHasThirtyFourBytes() throws {
        let status = StandbyStatus(
            written: LSN(0x2000),
            flushed: LSN(0x1000),
            clock: clock,
            replyRequested: true
        )
        #expect(status.encoded.count == 34)
        #expect(try status.encoded.withUnsafeBytes { try StandbyStatus($0) } == status)
    }

    /// Every prefix of every message is refused or read, never trapped on.
    @Test func cutMessages() {
        let data = ReplicationMessage.data(start: LSN(1), payloadBytes: 0, serverEnd: LSN(2), serverClock: clock)
        let keepalive = ReplicationMessage.keepalive(serverEnd: LSN(2), serverClock: clock, replyRequested: true)
        for whole in [data.encoded(), keepalive.encoded()] {
            for count in 0..<whole.count {
                #expect(throws: MalformedMessage.self) { try decode(Array(whole.prefix(count))) }
            }
        }
        #expect(throws: MalformedMessage.unknownType(0x78)) { try decode(Array("xyz".utf8)) }
        #expect(throws: MalformedMessage.empty) { try decode([]) }
    }

    @Test func positionsBeyondTheLastAddressAreRefused() {
        let message = ReplicationMessage.data(
            start: LSN(UInt64.max - 1),
            payloadBytes: 3,
            serverEnd: LSN(2),
            serverClock: clock
        )
        #expect(throws: MalformedMessage.positionOutOfRange(LSN(UInt64.max - 1))) {
            try decode(message.encoded(payload: [1, 2, 3]))
        }
    }

    @Test func randomBytesNeverTrap() {
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<20_000 {
            let count = Int(generator.next() % 64)
            var bytes = (0..<count).map { _ in UInt8(truncatingIfNeeded: generator.next()) }
            if !bytes.isEmpty, generator.next() % 2 == 0 { bytes[0] = generator.next() % 2 == 0 ? 0x77 : 0x6B }
            _ = try? decode(bytes)
            _ = bytes.withUnsafeBytes { try? StandbyStatus($0) }
        }
    }
}

struct ReplicationCommandTests {
    @Test func texts() throws {
        let slot = try #require(SlotName("pgarchive_prod"))
        let expected: [(ReplicationCommand, String)] = [
            (.identifySystem, "IDENTIFY_SYSTEM"),
            (.showSegmentSize, "SHOW wal_segment_size"),
            (.readSlot(slot), "READ_REPLICATION_SLOT \"pgarchive_prod\""),
            (.createSlot(slot), "CREATE_REPLICATION_SLOT \"pgarchive_prod\" PHYSICAL (RESERVE_WAL)"),
            (.dropSlot(slot), "DROP_REPLICATION_SLOT \"pgarchive_prod\""),
            (.dropSlotWhenFree(slot), "DROP_REPLICATION_SLOT \"pgarchive_prod\" WAIT"),
            (.timelineHistory(TimelineID(3)), "TIMELINE_HISTORY 3"),
            (
                .startReplication(slot: slot, position: LSN(0x16_B374_0000), timeline: TimelineID(2)),
                "START_REPLICATION SLOT \"pgarchive_prod\" PHYSICAL 16/B3740000 TIMELINE 2"
            ),
            (
                .startReplication(slot: nil, position: LSN(0x100_0000), timeline: TimelineID(1)),
                "START_REPLICATION PHYSICAL 0/1000000 TIMELINE 1"
            ),
        ]
        for (command, text) in expected { #expect(command.text == text) }
    }

    @Test func slotNames() {
        for good in ["a", "pgarchive_1", String(repeating: "x", count: 63)] { #expect(SlotName(good) != nil) }
        for bad in ["", "A", "a-b", "a\"b", "a b", "é", String(repeating: "x", count: 64)] {
            #expect(SlotName(bad) == nil, "\(bad)")
        }
    }

    @Test func answers() {
        let identity = ServerIdentity(row: ["7231234567890123456", "2", "16/B374D848", nil])
        #expect(identity?.systemIdentifier == 7_231_234_567_890_123_456)
        #expect(identity?.timeline == TimelineID(2))
        for bad in [[], ["x", "1", "0/0"], ["1", "0", "0/0"], ["1", "1", "zzz"], [nil, "1", "0/0"]] as [[String?]] {
            #expect(ServerIdentity(row: bad) == nil)
        }
        #expect(SlotState(row: [nil, nil, nil]) == .missing)
        #expect(
            SlotState(row: ["physical", "0/5000000", "1"])
                == .physical(restart: LSN(0x500_0000), timeline: TimelineID(1))
        )
        #expect(SlotState(row: ["physical", nil, nil]) == .physical(restart: nil, timeline: nil))
        #expect(SlotState(row: ["logical", "0/5000000", "1"]) == nil)
        #expect(SlotState(row: ["physical", "what", "1"]) == nil)
    }

    @Test func segmentSizeSetting() {
        #expect(SegmentSize(setting: "16MB")?.bytes == 16 << 20)
        #expect(SegmentSize(setting: "1GB")?.bytes == 1 << 30)
        #expect(SegmentSize(setting: "1024kB")?.bytes == 1 << 20)
        for bad in ["", "MB", "3MB", "2GB", "16", "99999999999999999999GB", "18446744073709551615GB"] {
            #expect(SegmentSize(setting: bad) == nil, "\(bad)")
        }
    }
}
