package import WALFormat

/// What a walsender sends inside COPY BOTH (PostgreSQL's protocol documentation, "Streaming Replication Protocol").
package enum ReplicationMessage: Equatable, Sendable {
    /// 'w': WAL from `start`; its bytes are the message from `payloadOffset` on.
    case data(start: LSN, payloadBytes: Int, serverEnd: LSN, serverClock: PostgresTime)
    /// 'k': up to where WAL was sent, and the server's clock; it may ask to be answered at once.
    case keepalive(serverEnd: LSN, serverClock: PostgresTime, replyRequested: Bool)

    /// Where the WAL begins in a data message: after the type, two positions and the clock.
    package static let payloadOffset = 25

    /// Reads one message.
    /// - Throws: `MalformedMessage` when it is too short, of an unknown type, or its WAL would pass the last address.
    package init(_ bytes: UnsafeRawBufferPointer) throws(MalformedMessage) {
        guard let type = bytes.first else { throw .empty }
        switch type {
        case UInt8(ascii: "w"):
            guard bytes.count >= Self.payloadOffset else { throw .truncated(type: type, byteCount: bytes.count) }
            let start = Self.bigEndian(bytes, at: 1)
            let payloadBytes = bytes.count - Self.payloadOffset
            guard !start.addingReportingOverflow(UInt64(payloadBytes)).overflow else {
                throw .positionOutOfRange(LSN(start))
            }
            self = .data(
                start: LSN(start),
                payloadBytes: payloadBytes,
                serverEnd: LSN(Self.bigEndian(bytes, at: 9)),
                serverClock: PostgresTime(rawValue: Int64(bitPattern: Self.bigEndian(bytes, at: 17)))
            )
        case UInt8(ascii: "k"):
            guard bytes.count >= 18 else { throw .truncated(type: type, byteCount: bytes.count) }
            self = .keepalive(
                serverEnd: LSN(Self.bigEndian(bytes, at: 1)),
                serverClock: PostgresTime(rawValue: Int64(bitPattern: Self.bigEndian(bytes, at: 9))),
                replyRequested: bytes[17] != 0
            )
        default:
            throw .unknownType(type)
        }
    }

    /// Eight bytes from `offset`, which the caller has checked to lie inside.
    private static func bigEndian(_ bytes: UnsafeRawBufferPointer, at offset: Int) -> UInt64 {
        UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }

    /// The message as the server writes it; `payload` follows a data message's header.
    package func encoded(payload: [UInt8] = []) -> [UInt8] {
        var bytes: [UInt8] = []
        switch self {
        case .data(let start, _, let serverEnd, let serverClock):
            bytes.append(UInt8(ascii: "w"))
            bytes.appendBigEndian(start.rawValue)
            bytes.appendBigEndian(serverEnd.rawValue)
            bytes.appendBigEndian(UInt64(bitPattern: serverClock.rawValue))
            bytes.append(contentsOf: payload)
        case .keepalive(let serverEnd, let serverClock, let replyRequested):
            bytes.append(UInt8(ascii: "k"))
            bytes.appendBigEndian(serverEnd.rawValue)
            bytes.appendBigEndian(UInt64(bitPattern: serverClock.rawValue))
            bytes.append(replyRequested ? 1 : 0)
        }
        return bytes
    }
}

/// A message which no walsender sends.
package enum MalformedMessage: Error, Equatable, Sendable, CustomStringConvertible {
    case empty
    case unknownType(UInt8)
    case truncated(type: UInt8, byteCount: Int)
    case positionOutOfRange(LSN)

    package var description: String {
        switch self {
        case .empty: "an empty replication message"
        case .unknownType(let type): "a replication message of unknown type \(type)"
        case .truncated(let type, let byteCount): "a replication message of type \(type) with only \(byteCount) bytes"
        case .positionOutOfRange(let start): "WAL from \(start) that would pass the last address"
        }
    }
}

/// 'r': what we tell the server of our positions.
package struct StandbyStatus: Equatable, Sendable {
    /// The end of what was written here; 0/0 when nothing is known.
    package var written: LSN
    /// The end of what is durable here; 0/0 when not known, or not to be told.
    package var flushed: LSN
    package var clock: PostgresTime
    package var replyRequested: Bool

    package init(written: LSN, flushed: LSN, clock: PostgresTime, replyRequested: Bool) {
        self.written = written
        self.flushed = flushed
        self.clock = clock
        self.replyRequested = replyRequested
    }

    /// Reads what `encoded` wrote; the applied position is left out, since an archive applies nothing.
    package init(_ bytes: UnsafeRawBufferPointer) throws(MalformedMessage) {
        guard let type = bytes.first else { throw .empty }
        guard type == UInt8(ascii: "r") else { throw .unknownType(type) }
        guard bytes.count >= 34 else { throw .truncated(type: type, byteCount: bytes.count) }
        func field(_ offset: Int) -> UInt64 {
            UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
        }
        self.written = LSN(field(1))
        self.flushed = LSN(field(9))
        self.clock = PostgresTime(rawValue: Int64(bitPattern: field(25)))
        self.replyRequested = bytes[33] != 0
    }

    package var encoded: [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(34)
        bytes.append(UInt8(ascii: "r"))
        bytes.appendBigEndian(written.rawValue)
        bytes.appendBigEndian(flushed.rawValue)
        bytes.appendBigEndian(0)
        bytes.appendBigEndian(UInt64(bitPattern: clock.rawValue))
        bytes.append(replyRequested ? 1 : 0)
        return bytes
    }
}

extension [UInt8] {
    fileprivate mutating func appendBigEndian(_ value: UInt64) {
        Swift.withUnsafeBytes(of: value.bigEndian) { append(contentsOf: $0) }
    }
}
