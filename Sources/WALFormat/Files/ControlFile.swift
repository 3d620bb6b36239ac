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
    /// Nil for a catalog version that no release of the supported majors has.
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
        throw .unsupported("not written yet")
    }
}
