import PostgresLink
import Testing
import WALFormat

/// A machine with a clock of its own, and shorthands for what most traces begin with.
struct Trace {
    var settings = ReplicationSettings()
    var machine = ReplicationMachine(settings: ReplicationSettings(), position: nil)
    var seconds = 1000.0
    let slot: SlotName
    var start = StreamStart(kind: .first, timeline: TimelineID(1), position: .invalid, durable: nil)
    private let clock = PostgresTime(rawValue: 800_000_000_000_000)

    init() throws {
        slot = try #require(SlotName("arc"))
    }

    mutating func begin(position: ArchivePosition?) {
        machine = ReplicationMachine(settings: settings, position: position)
    }

    func position(_ end: UInt64, timeline: UInt32 = 1) -> ArchivePosition {
        ArchivePosition(timeline: TimelineID(timeline), request: LSN(end), recordEnd: LSN(end))
    }

    @discardableResult
    mutating func on(_ event: ReplicationEvent) -> [ReplicationAction] {
        machine.handle(event, at: .init(seconds: seconds, clock: clock))
    }

    /// Login and the first two answers, of system 42 with segments of 16 MB.
    @discardableResult
    mutating func identify(timeline: Int = 1, flushed: String = "0/5600000") -> [ReplicationAction] {
        on(.connected(serverVersion: 150_018, isStandby: false))
        on(.row(["42", "\(timeline)", flushed, nil]))
        return on(.row(["16MB"]))
    }

    /// All up to the stream on timeline 1; what its start brings.
    @discardableResult
    mutating func streaming(from request: UInt64, recordEnd: UInt64) -> [ReplicationAction] {
        begin(position: ArchivePosition(timeline: TimelineID(1), request: LSN(request), recordEnd: LSN(recordEnd)))
        identify()
        if settings.slot != nil { on(.row(["physical", "0/5000000", "1"])) }
        start = StreamStart(
            kind: .resume,
            timeline: TimelineID(1),
            position: LSN(request),
            durable: LSN(recordEnd)
        )
        return on(.copyStarted)
    }

    @discardableResult
    mutating func data(_ start: UInt64, _ count: Int) -> [ReplicationAction] {
        on(.message(.data(start: LSN(start), payloadBytes: count, serverEnd: LSN(0x600_0000), serverClock: clock)))
    }

    mutating func keepalive(requested: Bool) -> [ReplicationAction] {
        on(.message(.keepalive(serverEnd: LSN(0x600_0000), serverClock: clock, replyRequested: requested)))
    }

    /// A keepalive that came by itself.
    mutating func beat(end: UInt64, clock: Int64, requested: Bool = false) {
        let clock = PostgresTime(rawValue: clock)
        on(.message(.keepalive(serverEnd: LSN(end), serverClock: clock, replyRequested: requested)))
    }

    /// The server's answer to the next question for its clock.
    mutating func heartbeat(end: UInt64, clock: Int64) {
        seconds += settings.heartbeatIntervalSeconds
        on(.tick)
        beat(end: end, clock: clock)
    }

    func reply(written: UInt64, flushed: UInt64, requested: Bool = false) -> ReplicationAction {
        .reply(
            StandbyStatus(written: LSN(written), flushed: LSN(flushed), clock: clock, replyRequested: requested)
        )
    }

    func outcome(_ actions: [ReplicationAction]) -> ReplicationOutcome? {
        for case .finish(let outcome) in actions { return outcome }
        return nil
    }
}
