package import WALFormat

/// The answer to IDENTIFY_SYSTEM.
package struct ServerIdentity: Equatable, Sendable {
    package let systemIdentifier: UInt64
    package let timeline: TimelineID
    /// The end of what the server has flushed; on a standby, of what it has replayed or received.
    package let flushed: LSN

    package init(systemIdentifier: UInt64, timeline: TimelineID, flushed: LSN) {
        self.systemIdentifier = systemIdentifier
        self.timeline = timeline
        self.flushed = flushed
    }

    package init?(row: [String?]) {
        guard row.count >= 3, let systemIdentifier = row[0].flatMap({ UInt64($0) }),
            let timeline = row[1].flatMap({ UInt32($0) }), timeline > 0, let flushed = row[2].flatMap({ LSN($0) })
        else { return nil }
        self.init(systemIdentifier: systemIdentifier, timeline: TimelineID(timeline), flushed: flushed)
    }
}

/// The answer to READ_REPLICATION_SLOT.
package enum SlotState: Equatable, Sendable {
    case missing
    /// `restart` is nil when the slot keeps no WAL: never used without RESERVE_WAL, or invalidated.
    case physical(restart: LSN?, timeline: TimelineID?)

    /// Nil when the row is none that PostgreSQL sends; a missing slot is a row of nulls.
    package init?(row: [String?]) {
        guard row.count >= 3 else { return nil }
        guard let type = row[0] else {
            self = .missing
            return
        }
        guard type == "physical" else { return nil }
        let restart = row[1].flatMap { LSN($0) }
        if row[1] != nil, restart == nil { return nil }
        let timeline = row[2].flatMap { UInt32($0) }.map { TimelineID($0) }
        self = .physical(restart: restart.flatMap { $0.isValid ? $0 : nil }, timeline: timeline)
    }
}

extension SegmentSize {
    /// Reads what `SHOW wal_segment_size` answers: `16MB`, `1GB`.
    package init?(setting text: String) {
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        guard let number = UInt64(digits) else { return nil }
        let factor: UInt64
        switch text.dropFirst(digits.count) {
        case "B": factor = 1
        case "kB": factor = 1 << 10
        case "MB": factor = 1 << 20
        case "GB": factor = 1 << 30
        default: return nil
        }
        let (bytes, overflow) = number.multipliedReportingOverflow(by: factor)
        guard !overflow else { return nil }
        self.init(bytes: bytes)
    }
}
