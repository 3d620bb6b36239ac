/// The file `global/pg_control` (PostgreSQL: `ControlFileData`, catalog/pg_control.h), of majors 15 to 18.
package struct ControlFile: Hashable, Sendable {
    /// What the server was doing when it last wrote the file (PostgreSQL: `DBState`).
    package enum State: UInt32, Sendable {
        case startup = 0
        case shutDown = 1
        case shutDownInRecovery = 2
        case shuttingDown = 3
        case inCrashRecovery = 4
        case inArchiveRecovery = 5
        case inProduction = 6
    }

    package var systemIdentifier: UInt64
    package var controlVersion: UInt32
    package var catalogVersion: UInt32
    /// Nil for an unsupported major (13 and 14 share the control version of 15 and 16).
    package var major: PostgresMajor?
    package var state: State
    /// Where the last checkpoint's record begins.
    package var checkpoint: LSN
    package var checkpointRedo: LSN
    package var checkpointTimeline: TimelineID
    package var checkpointPreviousTimeline: TimelineID
    /// Whole seconds.
    package var checkpointTime: PostgresTime
    package var fullPageWrites: Bool
    package var minRecoveryPoint: LSN
    package var minRecoveryPointTimeline: TimelineID
    package var backupStart: LSN
    package var backupEnd: LSN
    package var backupEndRequired: Bool
    package var walLevel: WALLevel
    package var maxConnections: Int32
    package var maxWorkerProcesses: Int32
    package var maxWALSenders: Int32
    package var maxPreparedTransactions: Int32
    package var maxLocksPerTransaction: Int32
    package var segmentSize: SegmentSize
    /// 0: no checksums.
    package var dataChecksumVersion: UInt32

    /// Reads and checks the file's content.
    ///
    /// - Throws: `FormatError`: too short, unknown version, wrong checksum (perhaps read while it was written: read
    ///   again), impossible values.
    package init(_ bytes: UnsafeRawBufferPointer) throws(FormatError) {
        var reader = ByteReader(bytes)
        systemIdentifier = try reader.little()
        controlVersion = try reader.little()
        catalogVersion = try reader.little()
        guard let layout = Layout(controlVersion: controlVersion) else {
            throw .unsupported("pg_control has version \(controlVersion); 1300, 1700 and 1800 are known")
        }
        guard bytes.count >= layout.crcOffset + 4 else {
            throw .truncated("pg_control", needed: layout.crcOffset + 4, found: bytes.count)
        }
        let stored = try Field(bytes, layout.crcOffset).value(UInt32.self)
        guard CRC32C.checksum(UnsafeRawBufferPointer(rebasing: bytes[..<layout.crcOffset])) == stored else {
            throw .badChecksum("pg_control")
        }
        major = Self.major(controlVersion: controlVersion, catalogVersion: catalogVersion)

        let stateNumber = try Field(bytes, 16).value(UInt32.self)
        guard let state = State(rawValue: stateNumber) else { throw .invalid("pg_control has state \(stateNumber)") }
        self.state = state
        checkpoint = LSN(try Field(bytes, 32).value())
        checkpointRedo = LSN(try Field(bytes, 40).value())
        checkpointTimeline = TimelineID(try Field(bytes, 48).value())
        checkpointPreviousTimeline = TimelineID(try Field(bytes, 52).value())
        fullPageWrites = try Field(bytes, 56).value(UInt8.self) != 0
        checkpointTime = PostgresTime(unixSeconds: try Field(bytes, 104).value())
        minRecoveryPoint = LSN(try Field(bytes, 136).value())
        minRecoveryPointTimeline = TimelineID(try Field(bytes, 144).value())
        backupStart = LSN(try Field(bytes, 152).value())
        backupEnd = LSN(try Field(bytes, 160).value())
        backupEndRequired = try Field(bytes, 168).value(UInt8.self) != 0
        let level = try Field(bytes, 172).value(Int32.self)
        guard let walLevel = WALLevel(rawValue: level) else { throw .invalid("pg_control has wal_level \(level)") }
        self.walLevel = walLevel
        maxConnections = try Field(bytes, 180).value()
        maxWorkerProcesses = try Field(bytes, 184).value()
        maxWALSenders = try Field(bytes, 188).value()
        maxPreparedTransactions = try Field(bytes, 192).value()
        maxLocksPerTransaction = try Field(bytes, 196).value()
        let segmentBytes = try Field(bytes, 228).value(UInt32.self)
        guard let segmentSize = SegmentSize(bytes: UInt64(segmentBytes)) else {
            throw .invalid("pg_control has a segment size of \(segmentBytes) bytes")
        }
        self.segmentSize = segmentSize
        dataChecksumVersion = try Field(bytes, 252).value()
    }

    private static func major(controlVersion: UInt32, catalogVersion: UInt32) -> PostgresMajor? {
        switch (controlVersion, catalogVersion) {
        case (1300, 202_209_061): .v15
        case (1300, 202_307_071): .v16
        case (1700, _): .v17
        case (1800, _): .v18
        default: nil
        }
    }
}

/// What differs between the versions; the offsets above are the same in all of them.
private struct Layout {
    let crcOffset: Int

    init?(controlVersion: UInt32) {
        switch controlVersion {
        case 1300, 1700: crcOffset = 288
        // default_char_signedness came in before the checksum.
        case 1800: crcOffset = 292
        default: return nil
        }
    }
}

/// One number at its place.
private struct Field {
    private var reader: ByteReader

    init(_ bytes: UnsafeRawBufferPointer, _ offset: Int) throws(FormatError) {
        reader = ByteReader(bytes)
        try reader.skip(offset)
    }

    func value<T: FixedWidthInteger & BitwiseCopyable>(_: T.Type = T.self) throws(FormatError) -> T {
        var reader = reader
        return try reader.little()
    }
}
